"""Readers of densities, and the cubic setting of their cells."""

import gzip
import json
from dataclasses import replace

import numpy as np
import pytest
from ecdbench.benchmark.errors import DataError
from ecdbench.tasks.builder.densities import read_volume
from ecdbench.tasks.builder.reduction import reduce_density
from ecdbench.tasks.density.lattice import conventional_matrix
from ecdbench.tasks.density.planes import slice_plane
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from .conftest import as_chgcar

PRIMITIVE = np.array([[0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])
angles = st.floats(-180, 180)


@pytest.fixture(scope="session")
def files(zincblende, tmp_path_factory):
    """The same density as a CHGCAR, a CHGCAR without spin, and the Materials Project's json.gz."""
    folder = tmp_path_factory.mktemp("densities")
    as_chgcar(zincblende).write_file(folder / "CHGCAR")
    as_chgcar(zincblende, spin=False).write_file(folder / "CHGCAR.total")
    with gzip.open(folder / "mp-10182.json.gz", "wt") as file:
        json.dump({"data": as_chgcar(zincblende).as_dict()}, file, default=lambda o: o.tolist())
    return folder


@pytest.mark.parametrize("name", ["CHGCAR", "mp-10182.json.gz"])
def test_every_format_holds_the_same_density(files, zincblende, name):
    volume = read_volume(files / name)
    assert set(volume.channels) == {"total", "spin"}
    assert volume.integral("total") == pytest.approx(zincblende.integral("total"), abs=1e-5)
    one, two = (
        slice_plane(replace(reduce_density(v).factors, cube=v.cube_matrix), "total") for v in (volume, zincblende)
    )
    assert np.abs(one - two).max() < 1e-6 * np.ptp(two)


def test_a_density_without_spin(files):
    assert set(read_volume(files / "CHGCAR.total").channels) == {"total"}


@pytest.mark.parametrize("name", ["CHGCAR", "mp-10182.json.gz", "mp-10182.npz"])
@pytest.mark.parametrize("share", [0.0, 0.3, 0.999])
def test_truncated_files_are_refused(files, raw_dir, tmp_path, name, share):
    source = (files if name != "mp-10182.npz" else raw_dir / "densities") / name
    content = source.read_bytes()
    # A CHGCAR without its second block is a valid file: cut inside the first.
    end = len(content) // 2 if name == "CHGCAR" else len(content)
    (tmp_path / name).write_bytes(content[: int(end * share)])
    with pytest.raises(DataError, match=r"truncated or (in another format|no \.gz file)|not finite or not on one grid"):
        read_volume(tmp_path / name)


def test_other_files_are_refused(tmp_path):
    (tmp_path / "POSCAR").write_text("a text\nthat is no density\n")
    np.savez(tmp_path / "x.npz", something=np.eye(3))
    for name in ("POSCAR", "x.npz"):
        with pytest.raises(DataError, match="cannot be read as a density"):
            read_volume(tmp_path / name)
    with pytest.raises(DataError, match="There is no density file"):
        read_volume(tmp_path / "absent.npz")


def test_a_density_with_nans_is_refused(raw_dir, tmp_path):
    with np.load(raw_dir / "densities" / "mp-10182.npz") as file:
        content = dict(file)
    content["total"][3, 4, 5] = np.nan
    np.savez(tmp_path / "x.npz", **content)
    with pytest.raises(DataError, match="not finite"):
        read_volume(tmp_path / "x.npz")


@given(
    st.floats(2, 12),
    st.tuples(angles, angles, angles),
    st.permutations(range(3)),
    st.lists(st.sampled_from([0, 1, -1]), min_size=6, max_size=6),
)
def test_any_setting_of_the_primitive_cell_gives_the_cube(edge, turns, order, shear):
    change = np.eye(3, dtype=int)[list(order)]
    change[0, 1:] += shear[:2]
    assume(abs(round(np.linalg.det(change))) == 1)
    lattice = change @ PRIMITIVE @ Rotation.from_euler("xyz", turns, degrees=True).as_matrix() * edge
    assume(np.linalg.norm(lattice, axis=1).max() < 1.3 * edge)
    cube = conventional_matrix(lattice) @ lattice
    assert np.allclose(cube @ cube.T, edge**2 * np.eye(3), atol=1e-6 * edge**2)
    assert np.linalg.det(cube) > 0


@given(st.floats(2, 12))
def test_a_conventional_cell_is_left_alone(edge):
    assert np.array_equal(conventional_matrix(np.eye(3) * edge), np.eye(3))


@pytest.mark.parametrize("sign", [1, -1])
def test_the_diagonal_follows_the_primitive_cell(sign):
    matrix = conventional_matrix(sign * PRIMITIVE)
    assert np.allclose(matrix.sum(axis=0), [1, 1, 1])


@pytest.mark.parametrize(
    "lattice",
    [
        np.diag([3.0, 3.0, 4.0]),
        np.array([[3.0, 0, 0], [1.5, 2.6, 0], [0, 0, 5.0]]),
        np.array([[-1, 1, 1], [1, -1, 1], [1, 1, -1]]) * 1.5,  # body-centred cubic
    ],
)
def test_cells_that_are_not_face_centred_cubic_are_refused(lattice):
    with pytest.raises(DataError, match="not cubic F-centred"):
        conventional_matrix(lattice)
