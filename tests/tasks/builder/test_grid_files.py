"""Cube and xsf files as the programs write them, against the density they were written from."""

import contextlib
import tempfile

import numpy as np
import pytest
from ase import Atoms
from ase.io.cube import write_cube
from ase.io.xsf import write_xsf
from ase.units import Bohr
from ecdbench.benchmark.errors import DataError
from ecdbench.tasks.builder.crystal import CrystalError
from ecdbench.tasks.builder.densities import read_volume
from ecdbench.tasks.density.structure_factors import StructureFactors
from ecdbench.tasks.density.volumes import density_grid
from hypothesis import given, settings
from hypothesis import strategies as st

from .conftest import chgcar_text, damaged, damages, numbers_text, rock_salt, row_of

SALT = rock_salt()
DENSITY = SALT.channels["total"] * Bohr**3
ATOMS = Atoms(numbers=SALT.numbers, cell=SALT.lattice, scaled_positions=SALT.frac_coords, pbc=True)
REPEATED = np.pad(DENSITY, [(0, 1)] * 3, mode="wrap")


def cube(density=DENSITY, steps=None, count="2", origin=(0.0, 0.0, 0.0), unit=Bohr, sign=1, extra=""):
    """As Quantum ESPRESSO and CP2K write it: six numbers a line, a new line for each row."""
    steps = SALT.lattice / np.array(DENSITY.shape)[:, None] if steps is None else steps
    lines = ["title", "comment", " ".join(map(str, (count, *np.array(origin) / unit)))]
    lines += [f"{sign * n:5d}{vectors([step / unit])}" for n, step in zip(density.shape, steps, strict=True)]
    for number, place in zip(SALT.numbers, ATOMS.positions, strict=True):
        lines.append(f"{number:5d}{number:12.6f}{vectors([place / unit])}")
    lines += [extra] * bool(extra)
    lines += [numbers_text(row, columns=6) for plane in density for row in plane]
    return "\n".join(lines) + "\n"


def xsf(density=REPEATED, spans=SALT.lattice, origin=(0, 0, 0), label="DATAGRID_3D_UNKNOWN", names=("Na1", "Cl")):
    """As Quantum ESPRESSO writes it."""
    sites = [f"{name} {' '.join(map(str, place))}" for name, place in zip(names, ATOMS.positions, strict=True)]
    return "\n".join([
        "# comment", " CRYSTAL", " PRIMVEC", vectors(SALT.lattice), " CONVVEC", vectors(np.eye(3)),
        " PRIMCOORD", "  2  1", *sites, "BEGIN_BLOCK_DATAGRID_3D", "3D_PWSCF", label,
        "  ".join(map(str, density.shape)), vectors([origin]),
        vectors(spans), numbers_text(density, columns=6), "END_DATAGRID_3D", "END_BLOCK_DATAGRID_3D", "",
    ])  # fmt: skip


def vectors(rows):
    return "\n".join("".join(f"{x:15.9f}" for x in row) for row in rows)


def of_ase(write):
    with tempfile.TemporaryFile("w+") as file:
        write(file, ATOMS if write is write_cube else [ATOMS], data=DENSITY)
        file.seek(0)
        return file.read()


def rolled(step):
    """The density from a point on that is so many steps along the first axis, and that point."""
    return np.roll(DENSITY, -step, axis=0), step * SALT.lattice[0] / len(DENSITY)


def between():
    """The density on points half a step further along each axis, and the first of them."""
    fine = rock_salt(len(DENSITY) * 2).channels["total"] * Bohr**3
    return fine[1::2, 1::2, 1::2], SALT.lattice.sum(axis=0) / len(fine)


CUBES = {
    "Quantum ESPRESSO, CP2K": cube,
    "ASE, GPAW": lambda: of_ase(write_cube),
    "CASTEP, some versions of Quantum ESPRESSO": lambda: cube(REPEATED),
    "Angstrom": lambda: cube(unit=1.0, sign=-1),
    "labelled": lambda: cube(count="-2", extra="    1    5"),
    "values per point": lambda: cube().replace("\n2 0.0 0.0 0.0\n", "\n2 0.0 0.0 0.0 1\n"),
    "origin": lambda: cube(rolled(5)[0], origin=rolled(5)[1]),
    "origin between points": lambda: cube(between()[0], origin=between()[1]),
}
XSFS = {
    "Quantum ESPRESSO": xsf,
    "ASE": lambda: of_ase(write_xsf),
    "points of the cell, vectors of the cell": lambda: xsf(DENSITY),
    "points of the cell, vectors between them": lambda: xsf(DENSITY, spans=SALT.lattice * 11 / 12),
    "other label": lambda: xsf(label="BEGIN_DATAGRID_3D_density", names=("11", "CL")),
    "origin": lambda: xsf(rolled(5)[0], origin=rolled(5)[1]),
}


@pytest.mark.parametrize(("name", "text"), [*(("x.cube", t) for t in CUBES), *(("x.xsf", t) for t in XSFS)])
def test_every_dialect_gives_the_row_of_the_chgcar(mine, name, text):
    (mine / "dataset.yaml").write_text("channels: [total]\n")
    (mine / "densities" / name).write_text((CUBES if name == "x.cube" else XSFS)[text]())
    row = row_of(mine)
    (mine / "densities" / name).unlink()
    (mine / "densities" / "x.CHGCAR").write_text(chgcar_text(SALT))
    expected = row_of(mine)
    assert row["formula"] == expected["formula"] == "NaCl"
    assert row["n_electrons"] == pytest.approx(8, abs=1e-3)
    grid, known = (density_grid(StructureFactors.from_cells(one), "total", (24,) * 3) for one in (row, expected))
    assert np.abs(grid - known).max() < 1e-4 * np.ptp(known)


def test_a_real_density_survives_the_writers_of_ase(mine, zincblende):
    atoms = Atoms(zincblende.numbers, cell=zincblende.lattice, scaled_positions=zincblende.frac_coords, pbc=True)
    density = zincblende.channels["total"].astype(float)
    for name, write in {"x.cube": write_cube, "x.xsf": write_xsf}.items():
        with (mine / name).open("w") as file:
            write(file, atoms if name == "x.cube" else [atoms], data=density * Bohr**3)
        volume = read_volume(mine / name)
        assert np.abs(volume.channels["total"] - density).max() < 1e-6 * np.ptp(density)
        assert np.abs(volume.lattice - zincblende.lattice).max() < 1e-4


def test_they_have_no_spin_density(mine):
    (mine / "densities" / "x.cube").write_text(cube())
    with pytest.raises(
        CrystalError, match="a cube file holds the total density alone; ask for the channel total alone"
    ):
        row_of(mine)


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("x.cube", cube(count="-2", extra="   2   5   6"), "holds more than one grid"),
        ("x.cube", cube() * 2, "holds more than one grid"),
        ("x.cube", cube()[:-100], "truncated or in another format"),
        ("x.cube", "title\n", "truncated or in another format"),
        ("x.cube", "", "truncated or in another format"),
        ("x.cube", cube().replace("   11   11.0", "    0    0.0"), "holds no crystal|truncated"),
        ("x.xsf", xsf()[:-2000], "truncated or in another format"),
        ("x.xsf", xsf() * 2, "holds more than one grid"),
        ("x.xsf", xsf().partition("BEGIN")[0], "has no DATAGRID_3D"),
        ("x.xsf", xsf().replace("PRIMVEC", "OTHER"), "has no PRIMVEC"),
        ("x.xsf", xsf(spans=SALT.lattice * 2), "does not span its unit cell"),
        ("x.xsf", xsf(spans=SALT.lattice[[1, 0, 2]]), "does not span its unit cell"),
        ("x.xsf", xsf(names=("Xx", "Cl")), "truncated or in another format"),
        ("x.xsf", xsf().replace("END_DATAGRID_3D", "0.1 0.2\nEND_DATAGRID_3D"), "truncated or in another format"),
    ],
)
def test_what_is_not_one_density_of_a_crystal_is_refused(mine, name, text, sentence):
    (mine / name).write_text(text)
    with pytest.raises(DataError, match=sentence):
        read_volume(mine / name)


def test_another_unit_is_noticed_by_the_electrons(mine):
    (mine / "dataset.yaml").write_text("channels: [total]\n")
    (mine / "densities" / "x.cube").write_text(cube(DENSITY / Bohr**3))
    with pytest.raises(CrystalError, match=r"integrate to 53\.99 electrons for NaCl .*a cube or xsf file e/Bohr\^3"):
        row_of(mine)


@settings(max_examples=80)
@given(st.sampled_from([("x.cube", cube(DENSITY[:3, :3, :3])), ("x.xsf", xsf(DENSITY[:3, :3, :3]))]), damages)
def test_a_damaged_head_is_read_or_refused(tmp_path_factory, file, damage):
    path = tmp_path_factory.getbasetemp() / file[0]
    path.write_text(damaged(file[1], damage))
    with contextlib.suppress(DataError):
        assert read_volume(path).channels["total"].ndim == 3
