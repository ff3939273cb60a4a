import gzip
import json

import numpy as np
import pytest
from ecdbench.benchmark.errors import DataError
from ecdbench.tasks.build.plane import slice_plane
from ecdbench.tasks.build.volume import read_volume

from .conftest import as_chgcar


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
def test_every_form_holds_the_same_density(files, zincblende, name):
    volume = read_volume(files / name)
    assert set(volume.channels) == {"total", "spin"}
    assert volume.integral("total") == pytest.approx(zincblende.integral("total"), abs=1e-5)
    one, two = (slice_plane(v, "total") for v in (volume, zincblende))
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
    with pytest.raises(DataError, match=r"truncated or of another form|not finite or not on one grid"):
        read_volume(tmp_path / name)


def test_other_files_are_refused(tmp_path):
    (tmp_path / "POSCAR").write_text("a text\nthat is no density\n")
    np.savez(tmp_path / "x.npz", something=np.eye(3))
    for name in ("POSCAR", "x.npz"):
        with pytest.raises(DataError, match="cannot be read as a density"):
            read_volume(tmp_path / name)
    with pytest.raises(DataError, match="There is no density file"):
        read_volume(tmp_path / "absent.npz")


def test_a_density_with_holes_is_refused(raw_dir, tmp_path):
    with np.load(raw_dir / "densities" / "mp-10182.npz") as file:
        content = dict(file)
    content["total"][3, 4, 5] = np.nan
    np.savez(tmp_path / "x.npz", **content)
    with pytest.raises(DataError, match="not finite"):
        read_volume(tmp_path / "x.npz")
