"""CHGCAR files as VASP and the programs around it write them."""

import contextlib
import gzip
import json

import numpy as np
import pytest
from ecdbench.benchmark.errors import DataError
from ecdbench.tasks.builder.crystal import CrystalError
from ecdbench.tasks.builder.densities import read_volume
from hypothesis import given, settings
from monty.serialization import dumpfn
from pymatgen.core import Structure
from pymatgen.io.vasp import Chgcar, Poscar

from .conftest import chgcar_text, damaged, damages, rock_salt, row_of

SALT = rock_salt()
TOTAL = SALT.channels["total"] * SALT.cell_volume
MOMENTS = "  0.100000000000E+00 -0.200000000000E+00"


def written(mine, text, **options):
    path = mine / "densities" / "x.CHGCAR"
    path.write_text(text, **options)
    return path


@pytest.mark.parametrize("selective", [False, True])
def test_elements_without_symbols_are_refused(mine, selective):
    """As VASP 4 writes it. pymatgen takes hydrogen, helium and so on."""
    text = chgcar_text(SALT).replace("   Na   Cl\n", "")
    if selective:
        text = text.replace("Direct", "Selective dynamics\nDirect")
        text = text.replace("0.0 0.0\n", "0.0 0.0 T T T\n").replace("0.5 0.5\n", "0.5 0.5 T T T\n")
    written(mine, text)
    with pytest.raises(CrystalError, match=r"^densities/x\.CHGCAR does not name its elements; add the line"):
        row_of(mine)


def test_elements_named_beside_the_sites_are_read(mine):
    text = chgcar_text(SALT).replace("   Na   Cl\n", "")
    written(mine, text.replace("0.0 0.0 0.0\n", "0.0 0.0 0.0 Na\n").replace("0.5 0.5 0.5\n", "0.5 0.5 0.5 Cl\n"))
    assert row_of(mine)["formula"] == "NaCl"


def test_a_title_may_be_in_any_encoding(mine):
    written(mine, chgcar_text(SALT, head="Küchensalz, 5 Å"), encoding="latin-1")
    assert row_of(mine)["n_electrons"] == pytest.approx(8)


def test_exponents_of_three_digits_do_not_shift_the_values(mine):
    """Fortran writes 0.123-100 where there is no room for the E."""
    grid = TOTAL.copy()
    grid[3:5, 2, 1] = 1.23e-101
    text = chgcar_text(SALT, grid)
    assert text.count(" 1.23000000000E-101") == 2
    volume = read_volume(written(mine, text.replace(" 1.23000000000E-101", " 0.12300000000-100")))
    assert np.abs(volume.channels["total"] * SALT.cell_volume - grid).max() < 1e-9


def test_spin(mine):
    spin = TOTAL * 0.1
    augmentation = "augmentation occupancies   1   2\n  0.1E+01  0.2E+00"
    text = chgcar_text(SALT, TOTAL, augmentation, MOMENTS, spin, augmentation)
    volume = read_volume(written(mine, text))
    assert volume.integral("spin") == pytest.approx(0.8)
    assert np.allclose(volume.channels["total"], SALT.channels["total"], atol=1e-9)


@pytest.mark.parametrize(
    "blocks",
    [
        (TOTAL, MOMENTS),
        (TOTAL, MOMENTS, f"{MOMENTS}\n{MOMENTS}"),
        (TOTAL, "augmentation occupancies   1   9\n  0.1E+01  0.2E+00"),
        (TOTAL, MOMENTS, "  12  12  12\n 0.1E+01 0.1E+01"),
        (TOTAL, MOMENTS, "  12  12  12"),
        (TOTAL, TOTAL, TOTAL),
        (TOTAL, "kinetic energy density", TOTAL),
        (TOTAL, chgcar_text(SALT)),
        (),
    ],
)
@pytest.mark.parametrize("channels", ["[total]", "[total, spin]"])
def test_files_that_were_cut_or_have_other_blocks_are_refused(mine, blocks, channels):
    """After the moments of a spin density, within occupancies or a block; of a trajectory; without any grid."""
    (mine / "dataset.yaml").write_text(f"channels: {channels}\n")
    text = chgcar_text(SALT, *blocks) if blocks else chgcar_text(SALT).partition("  12")[0]
    written(mine, text)
    with pytest.raises(CrystalError, match="truncated or in another format"):
        row_of(mine)


def test_a_noncollinear_file_has_a_total_density_and_no_spin(mine):
    written(mine, chgcar_text(SALT, TOTAL, MOMENTS, TOTAL * 0.1, MOMENTS, TOTAL * 0.2, MOMENTS, TOTAL * 0.3))
    with pytest.raises(
        CrystalError, match=r"non-collinear, so it has no spin-up and spin-down density; ask for the channel tot"
    ):
        row_of(mine)
    (mine / "dataset.yaml").write_text("channels: [total]\n")
    row = row_of(mine)
    assert row["n_electrons"] == pytest.approx(8)
    assert "structure_factors_spin" not in row


def test_numbers_that_are_none_are_refused(mine):
    text = chgcar_text(SALT)
    for wrong in ("*" * 17, "0.1E+01-0.2E+00", "one"):
        with pytest.raises(DataError, match="truncated or in another format"):
            read_volume(written(mine, text.replace(text.split()[-3], wrong)))


def chgcar():
    structure = Structure(SALT.lattice, SALT.numbers, SALT.frac_coords)
    return Chgcar(Poscar(structure), {"total": TOTAL, "diff": TOTAL * 0.1})


def as_numpy_object(grid):
    return {"@module": "numpy", "@class": "array", "dtype": "float64", "data": grid.tolist()}


JSON = {
    "to_json": lambda: chgcar().to_json(),
    "Materials Project": lambda: json.dumps({"data": json.loads(chgcar().to_json())}),
    "arrays as objects": lambda: json.dumps(
        {**json.loads(chgcar().to_json()), "data": {"total": as_numpy_object(TOTAL), "diff": as_numpy_object(TOTAL)}}
    ),
}


@pytest.mark.parametrize("form", JSON)
@pytest.mark.parametrize("name", ["x.json", "x.json.gz"])
def test_json_of_pymatgen(mine, form, name):
    content = JSON[form]().encode()
    (mine / "densities" / name).write_bytes(gzip.compress(content) if name.endswith("gz") else content)
    row = row_of(mine)
    assert (row["formula"], row["n_electrons"]) == ("NaCl", pytest.approx(8))
    assert not row["is_noise_spin"]


def test_json_of_monty(mine):
    dumpfn(chgcar(), mine / "densities" / "x.json.gz")
    assert row_of(mine)["n_electrons"] == pytest.approx(8)


@pytest.mark.parametrize("content", ["{}", "[]", '{"data": 3}', "[" * 100_000, json.dumps(SALT.structure.as_dict())])
def test_other_json_is_refused(mine, content):
    (mine / "densities" / "x.json").write_text(content)
    with pytest.raises(CrystalError, match=r"densities/x\.json cannot be read as a density"):
        row_of(mine)


@settings(max_examples=60)
@given(damages)
def test_a_damaged_head_is_read_or_refused(tmp_path_factory, damage):
    path = tmp_path_factory.getbasetemp() / "CHGCAR"
    path.write_text(damaged(chgcar_text(rock_salt(2), TOTAL[:3, :3, :3]), damage))
    with contextlib.suppress(DataError):
        assert read_volume(path).channels["total"].ndim == 3
