"""Densities of a user's folder: their names, their compressions, and what is no density."""

import csv
from pathlib import Path

import numpy as np
import pytest
from ecdbench.benchmark import unpacking
from ecdbench.tasks.builder.crystal import Crystal, CrystalError
from ecdbench.tasks.builder.density_folder import DensityFolder

from ...packing import PACK
from .conftest import chgcar_text, rock_salt, row_of

NAMES = ["x.CHGCAR", "x.vasp", "x_CHGCAR", "CHGCAR.x", "CHGCAR_x", "x/CHGCAR", "x.CHG", "x/CHG"]


@pytest.mark.parametrize("place", ["", "densities/"])
@pytest.mark.parametrize("name", NAMES)
def test_every_name_is_found(mine, name, place):
    (mine / "x").mkdir()
    (mine / f"{place}{name}").write_text(chgcar_text(rock_salt()))
    row = row_of(mine)
    assert row["formula"] == "NaCl"
    assert row["n_electrons"] == pytest.approx(8)


@pytest.mark.parametrize("packing", PACK)
def test_every_compression_is_unpacked(mine, packing):
    (mine / "densities" / "x" / f"CHGCAR{packing}").write_bytes(PACK[packing](chgcar_text(rock_salt()).encode()))
    assert row_of(mine)["n_electrons"] == pytest.approx(8)


def test_a_chgcar_is_preferred_to_the_chg_beside_it(mine):
    (mine / "densities" / "x" / "CHGCAR").write_text(chgcar_text(rock_salt()))
    (mine / "densities" / "x" / "CHG").write_text("fewer digits")
    assert row_of(mine)["formula"] == "NaCl"


def test_several_densities_of_one_crystal_are_refused(mine):
    for name in ("x.CHGCAR", "x.cube.gz"):
        (mine / "densities" / name).write_text("")
    with pytest.raises(CrystalError, match=r"densities/x\.CHGCAR and densities/x\.cube\.gz are there; keep the one"):
        row_of(mine)


def test_the_subfolder_comes_first(mine):
    """So that structures beside it are not mistaken for densities."""
    (mine / "densities" / "x.CHGCAR").write_text(chgcar_text(rock_salt()))
    (mine / "x.vasp").write_text("a structure")
    assert row_of(mine)["formula"] == "NaCl"


def test_without_a_density_all_names_are_listed(mine):
    (mine / "densities" / "x.rho").write_text("")
    with pytest.raises(CrystalError) as failure:
        row_of(mine)
    assert failure.value.kind == "no density"
    for name in (*NAMES, "x.npz", "x.json", "x.cube", "x.xsf", ".gz, .bz2, .xz or .zst"):
        assert name in str(failure.value)


def test_the_version_follows_the_files(mine):
    source, crystal = DensityFolder(mine), Crystal("x")
    versions = [source.version(crystal)]
    for name in ("x.CHG", "x.CHGCAR", "x.cube"):
        (mine / "densities" / name).write_text("")
        versions.append(source.version(crystal))
    assert len(set(versions)) == 4


@pytest.mark.parametrize("packing", [packing for packing in PACK if packing])
def test_a_bomb_is_refused(mine, packing, monkeypatch):
    monkeypatch.setattr(unpacking, "_ANY_FILE", 100_000)
    content = chgcar_text(rock_salt()).encode() + bytes(8_000_000)
    (mine / "densities" / f"x.CHGCAR{packing}").write_bytes(PACK[packing](content))
    with pytest.raises(CrystalError, match=r"^densities/x\.CHGCAR\S+ unpacks to more than \d+ MiB, over 100 times its"):
        row_of(mine)


def test_an_npz_bomb_is_refused(mine):
    np.savez_compressed(mine / "densities" / "x.npz", total=np.zeros(10_000_000))
    with pytest.raises(CrystalError, match=r"unpacks to more than 64 MiB"):
        row_of(mine)


def elf(volume):
    return np.clip(volume.channels["total"] / volume.channels["total"].max(), 0, 1)


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        (lambda v: v.channels["total"], r"integrate to 0\.1784 electrons for NaCl \(2 atoms, 28 protons\)"),
        (elf, r"integrate to 0\.\d+ electrons for NaCl .*an ELFCAR or LOCPOT is no density"),
        (lambda v: 8 - 40 * elf(v), r"integrate to -?\d\.\d+ electrons|falls to -\S+ e/A\^3 between the atoms"),
        (lambda v: v.channels["total"] * v.cell_volume**2, r"a CHGCAR holds the density times the cell volume"),
        (lambda v: v.channels["total"] * v.cell_volume / 6.75, r"integrate to 1\.185 electrons .*e/Bohr\^3"),
        (
            lambda v: (v.channels["total"] - 8 / v.cell_volume) * v.cell_volume * 6 + 8,
            r"falls to -\d\S+ e/A\^3 between the atoms; a potential or a difference is no density",
        ),
    ],
)
def test_values_that_are_no_density_are_refused(mine, values, sentence):
    """Not multiplied by the volume, an ELFCAR, a LOCPOT, multiplied twice, in e/Bohr^3, and far below zero."""
    volume = rock_salt()
    (mine / "densities" / "x.CHGCAR").write_text(chgcar_text(volume, values(volume)))
    with pytest.raises(CrystalError, match=sentence):
        row_of(mine)


def test_a_localisation_function_in_a_cell_of_one_atom_is_refused(mine):
    """It may integrate to more than half an electron."""
    volume = rock_salt()
    text = chgcar_text(volume, np.full((8, 8, 8), 0.6) + 0.3 * elf(rock_salt(8)))
    text = text.replace("   Na   Cl\n   1   1", "   Na\n   1").replace("0.5 0.5 0.5\n", "")
    (mine / "densities" / "x.CHGCAR").write_text(text)
    with pytest.raises(CrystalError, match=r"integrate to 0\.\d+ electrons for Na "):
        row_of(mine)


def test_failures_of_a_build_say_what_is_wrong(cli, mine, tmp_path):
    (mine / "densities" / "x.CHGCAR").write_text(chgcar_text(rock_salt(), rock_salt().channels["total"]))
    outcome = cli("build", "x", "--source", mine, "--out", tmp_path / "out")
    assert outcome.code == 1
    (failure,) = csv.DictReader((tmp_path / "out" / "failures.csv").open())
    assert failure["kind"] == "broken density"
    assert "0.1784 electrons" in failure["reason"]


def test_the_manual_names_the_files():
    manual = (Path(__file__).parents[3] / "docs" / "building.md").read_text()
    for name in (*NAMES, "x.npz", "x.json", "x.cube", "x.xsf"):
        assert f"`{name.replace('x', 'ID', 1)}`" in manual


def test_the_help_names_the_formats(cli):
    text = " ".join(cli("build", "--help").out.split())
    assert all(name in text for name in ("CHGCAR", "cube", "xsf", "json", "npz", ".zst"))
