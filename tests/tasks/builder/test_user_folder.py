"""Building a dataset from a user's own folder of densities."""

import csv
import json
import shutil

import numpy as np
import pytest
from ecdbench.benchmark.errors import DataError
from ecdbench.tasks.builder.densities import read_volume
from ecdbench.tasks.builder.user_folder import plan_user_folder
from ecdbench.tasks.catalogue import load_task

from .conftest import as_chgcar, seed_descriptions

IDS = ("mp-101", "mp-10182", "mp-1022")


@pytest.fixture
def folder(raw_dir, tmp_path):
    """Three crystals in three forms: npz, CHGCAR in a folder of its own, CHGCAR without spin."""
    source = tmp_path / "mine"
    (source / "mp-10182").mkdir(parents=True)
    (source / "densities").mkdir()
    shutil.copyfile(raw_dir / "densities" / "mp-101.npz", source / "densities" / "mp-101.npz")
    as_chgcar(read_volume(raw_dir / "densities" / "mp-10182.npz")).write_file(source / "mp-10182" / "CHGCAR")
    as_chgcar(read_volume(raw_dir / "densities" / "mp-1022.npz"), spin=False).write_file(source / "CHGCAR.mp-1022")
    (source / "properties.csv").write_text("id,k_vrh,hardness [GPa]\nmp-101,346.3,12\nmp-10182,63.1,\nmp-1022,16.9,1\n")
    (source / "dataset.yaml").write_text(
        "title: Three crystals\nlicense: CC0-1.0\ncitation: nobody\nprovenance: made for a test\n"
        "targets:\n  k_vrh: {unit: GPa, description: bulk modulus}\n"
    )
    return source


def build(cli, folder, tmp_path, *more):
    seed_descriptions(tmp_path / "cache")
    return cli("build", "mine", "--source", folder, "--out", tmp_path / "built", *more)


def test_build_load_evaluate(cli, folder, tmp_path):
    assert build(cli, folder, tmp_path).out.startswith("3 rows.")
    manifest = json.loads((tmp_path / "built" / "manifest.json").read_text())
    assert [target["name"] for target in manifest["facts"]["targets"]] == ["k_vrh"]
    assert manifest["facts"]["license"] == "CC0-1.0"
    data = load_task(str(tmp_path / "built"), text="key", channel="total")
    assert sorted(data.ids) == sorted(IDS)
    row = data.table(["mp-10182"])[0]
    assert row["formula"] == "LiZnP"  # found from the structure
    assert row["text"].startswith("LiZnP. All")
    assert data.targets(["mp-101"]).tolist() == [346.3]
    assert "hardness" in (tmp_path / "built" / "README.md").read_text()


def test_a_density_without_spin_is_zero_and_flagged(cli, folder, tmp_path):
    build(cli, folder, tmp_path)
    data = load_task(f"{tmp_path / 'built'}/k_vrh", channel="spin")
    assert abs(data.rows["mp-1022"]["density"]).max() == 0


@pytest.mark.parametrize(
    ("file", "old", "new", "sentence"),
    [
        ("properties.csv", "id,", "name,", "it needs id and at least one property"),
        ("properties.csv", "346.3", "hard", "k_vrh is 'hard', not a number"),
        ("properties.csv", "mp-10182,", "mp-101,", "the id mp-101 more than once"),
        ("properties.csv", "mp-101,", "../etc,", "the id '../etc'"),
        ("properties.csv", "346.3,12", "346.3", "row 2: the number of cells differs from the header"),
        ("properties.csv", "k_vrh", "formula_", "the target k_vrh, which is not a column"),
        ("properties.csv", "hardness [GPa]", "image_total", "a name that every dataset uses already"),
        ("properties.csv", "hardness [GPa]", "group", "a name that every dataset uses already"),
        ("properties.csv", "346.3", "1e308", "not a number"),
        ("properties.csv", "[GPa]", "[<b>]", "a unit that is none: '<b>'"),
        ("dataset.yaml", "license", "channels: [total, total]\nlicense", "channels is empty or names one twice"),
        ("dataset.yaml", "Three crystals", '"a | b"', "title: String should match pattern"),
        ("dataset.yaml", "unit: GPa", "unt: GPa", "targets.k_vrh.unt: Extra inputs are not permitted"),
        ("dataset.yaml", "title", "{", "is not valid YAML"),
        ("dataset.yaml", "license", "channels: [charge]\nlicense", "there is no channel charge"),
    ],
)
def test_invalid_input_is_reported_in_one_sentence(cli, folder, tmp_path, file, old, new, sentence):
    text = (folder / file).read_text()
    assert old in text
    (folder / file).write_text(text.replace(old, new))
    outcome = build(cli, folder, tmp_path)
    assert outcome.code == 1
    assert sentence in outcome.err
    assert outcome.err.count("\n") == 1


def test_a_changed_value_and_a_changed_density_are_noticed(cli, folder, raw_dir, tmp_path):
    """A finished row is reused only while everything it was made from is unchanged."""
    build(cli, folder, tmp_path)
    before = {sample_id: row["density"] for sample_id, row in load_task(str(tmp_path / "built")).rows.items()}
    assert build(cli, folder, tmp_path).out.startswith("3 rows.")
    opened = load_task(str(tmp_path / "built"))
    table = (folder / "properties.csv").read_text()
    (folder / "properties.csv").write_text(table.replace("346.3", "345.0"))
    shutil.copyfile(raw_dir / "densities" / "mp-102.npz", folder / "densities" / "mp-101.npz")
    build(cli, folder, tmp_path)
    after = load_task(str(tmp_path / "built"))
    assert after.targets(["mp-101"]).tolist() == [345.0]
    assert (after.rows["mp-101"]["density"] != before["mp-101"]).any()
    assert (after.rows["mp-1022"]["density"] == before["mp-1022"]).all()
    with pytest.raises(DataError, match="was changed while it was in use"):
        opened.rows["mp-101"]


def test_a_density_that_changes_during_the_build_is_reported(folder, raw_dir, tmp_path, monkeypatch):
    from ecdbench.tasks.builder import assembly

    planned = plan_user_folder("mine", folder)
    seed_descriptions(tmp_path / "cache")
    run_jobs = assembly.run_jobs

    def run_and_change(*arguments):
        run_jobs(*arguments)
        shutil.copyfile(raw_dir / "densities" / "mp-102.npz", folder / "densities" / "mp-101.npz")

    monkeypatch.setattr(assembly, "run_jobs", run_and_change)
    report = assembly.build_dataset(planned, tmp_path / "built", tmp_path / "cache")
    assert (report.rows, report.retryable) == (2, 1)


def test_what_is_missing_or_broken_is_recorded(cli, folder, tmp_path):
    (folder / "densities" / "mp-101.npz").write_bytes(b"PK")
    shutil.rmtree(folder / "mp-10182")
    outcome = build(cli, folder, tmp_path)
    assert outcome.code == 0
    failures = {row["id"]: row["kind"] for row in csv.DictReader((tmp_path / "built" / "failures.csv").open())}
    assert failures == {"mp-101": "broken density", "mp-10182": "no density"}


def test_crystals_that_do_not_qualify_are_recorded(cli, folder, tmp_path):
    """A simple cubic cell, a supercell, another formula, densities of the wrong sign and unit, sites that coincide."""
    from pymatgen.core import Lattice, Structure
    from pymatgen.io.vasp import Chgcar, Poscar

    def write(name, structure, sign=1.0):
        grid = np.full((9, 9, 9), 12 * sign * len(structure)) + np.random.default_rng(0).random((9, 9, 9)) / 100
        Chgcar(Poscar(structure), {"total": grid}).write_file(folder / f"CHGCAR.{name}")

    copper = Structure(Lattice([[0, 1.8, 1.8], [1.8, 0, 1.8], [1.8, 1.8, 0]]), ["Cu"], [[0, 0, 0]])
    write("po", Structure(Lattice.cubic(3.3), ["Po"], [[0, 0, 0]]))
    write("super", copper * (2, 2, 2))
    write("named", copper)
    write("negative", copper, sign=-1.0)
    write("unit", copper, sign=1000.0)
    write("twice", Structure(copper.lattice, ["Cu", "Cu"], [[0, 0, 0], [0, 0, 0.01]]))
    write("large", Structure(Lattice(copper.lattice.matrix * 30), ["Cu"], [[0, 0, 0]]))
    (folder / "properties.csv").write_text(
        "id,formula,k_vrh\npo,,1\nsuper,,2\nnamed,NaCl,3\nnegative,,4\nmp-101,Ir,346.3\nunit,,5\ntwice,,6\nlarge,,7\n"
    )
    assert build(cli, folder, tmp_path).code == 0
    failures = {row["id"]: row["kind"] for row in csv.DictReader((tmp_path / "built" / "failures.csv").open())}
    assert failures == {
        "po": "not cubic", "super": "not cubic", "named": "wrong formula", "negative": "broken density",
        "unit": "broken density", "twice": "broken density", "large": "broken density",
    }  # fmt: skip
    reasons = (tmp_path / "built" / "failures.csv").read_text()
    assert "1.2e+04 electrons for Cu (1 atoms, 29 protons)" in reasons
    assert "two of its sites are closer than 0.4 A" in reasons and "A^3 per atom; lengths must be in A" in reasons
    assert str(folder) not in (tmp_path / "built" / "failures.csv").read_text()


def test_crystals_of_any_lattice_have_volumes_and_no_planes(cli, folder, tmp_path):
    """A simple cubic cell beside face-centred ones. Its density is synthetic: smooth bumps at the atoms."""
    from pymatgen.core import Lattice, Structure
    from pymatgen.io.vasp import Chgcar, Poscar

    axes = np.stack(np.meshgrid(*[np.arange(20) / 20] * 3, indexing="ij"), -1)
    bumps = 30 + 8 * np.cos(2 * np.pi * axes).sum(axis=-1)
    polonium = Structure(Lattice.cubic(3.3), ["Po"], [[0, 0, 0]])
    Chgcar(Poscar(polonium), {"total": bumps}).write_file(folder / "CHGCAR.po")
    with (folder / "properties.csv").open("a") as table:
        table.write("po,40,\n")
    text = (folder / "dataset.yaml").read_text()
    (folder / "dataset.yaml").write_text(f"{text}lattice: any\n")
    seed_descriptions(tmp_path / "cache")
    outcome = cli("build", "mine", "--source", folder, "--out", tmp_path / "built")
    assert outcome.out.startswith("4 rows."), outcome.err
    data = load_task(str(tmp_path / "built"))
    assert set(data.inputs) == {"formula"}
    volumes = data.only(("volume",))
    row = volumes.table(["po"])[0]
    assert row["volume"].shape == (32, 32, 32)
    assert row["volume"].mean() == pytest.approx(30 / 3.3**3, rel=1e-4)
    card = (tmp_path / "built" / "README.md").read_text()
    assert "plane" not in card.partition("## Columns")[0]


def test_a_folder_with_other_files_is_left_alone(cli, folder, tmp_path):
    (tmp_path / "built").mkdir()
    (tmp_path / "built" / "README.md").write_text("mine")
    assert "holds other files, which a build would replace" in build(cli, folder, tmp_path).err
    assert "holds other files" in cli("build", "mine", "--source", folder, "--out", folder).err
    assert "holds other files" in cli("build", "mp-fcc", "--out", tmp_path / "built").err
    assert (tmp_path / "built" / "README.md").read_text() == "mine"


def test_a_new_license_rebuilds_no_row(cli, folder, tmp_path, monkeypatch):
    build(cli, folder, tmp_path)
    text = (folder / "dataset.yaml").read_text()
    (folder / "dataset.yaml").write_text(text.replace("CC0-1.0", "MIT"))
    monkeypatch.setattr("ecdbench.tasks.builder.workers.LocalPool.submit", lambda *_: pytest.fail("built again"))
    assert build(cli, folder, tmp_path).code == 0
    assert json.loads((tmp_path / "built" / "manifest.json").read_text())["facts"]["license"] == "MIT"


def test_a_build_without_rows_is_reported(cli, folder, tmp_path):
    for path in ("densities", "mp-10182"):
        shutil.rmtree(folder / path)
    (folder / "CHGCAR.mp-1022").unlink()
    outcome = build(cli, folder, tmp_path)
    assert outcome.code == 1
    assert "No crystal became a row" in outcome.err
    assert (tmp_path / "built" / "failures.csv").exists()
