"""Computing densities of one's own structures. What needs GPAW runs where it is installed, with light settings."""

import csv
import gzip
import importlib.util
import json
import lzma
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from ecdbench.benchmark.errors import DataError, MissingExtraError
from ecdbench.tasks.builder.compute import compute_densities
from ecdbench.tasks.builder.crystal import CrystalError
from ecdbench.tasks.builder.densities import read_volume
from ecdbench.tasks.builder.dft import DftSettings, compute_density
from ecdbench.tasks.builder.row_store import Failure, Outcome
from ecdbench.tasks.builder.structure_files import read_structures
from ecdbench.tasks.builder.user_folder import plan_user_folder
from pymatgen.core import Lattice, Structure

LIGHT = DftSettings(cutoff=250.0, k_density=1.5, k_density_large=1.5)
needs_gpaw = pytest.mark.skipif(
    importlib.util.find_spec("gpaw") is None, reason="GPAW is not installed (the extra dft)"
)


def fcc(element, edge):
    return Structure(
        Lattice([[0, edge / 2, edge / 2], [edge / 2, 0, edge / 2], [edge / 2, edge / 2, 0]]), [element], [[0, 0, 0]]
    )


@pytest.fixture
def structures(tmp_path):
    """Two small crystals, as a CIF and as a POSCAR."""
    folder = tmp_path / "structures"
    folder.mkdir()
    fcc("Al", 4.05).to(filename=str(folder / "al.cif"), fmt="cif")
    fcc("Ne", 4.43).to(filename=str(folder / "POSCAR_ne"), fmt="poscar")
    return folder


def test_structures_are_read_in_several_forms(structures, tmp_path):
    assert [one.id for one in read_structures(structures)] == ["al", "ne"]
    together = {one.id: one.structure for one in read_structures(structures)}
    (tmp_path / "all.json").write_text(json.dumps(together))
    assert [one.id for one in read_structures(tmp_path / "all.json")] == ["al", "ne"]
    (tmp_path / "one.json").write_text(json.dumps(together["al"]))
    assert [one.id for one in read_structures(tmp_path / "one.json")] == ["one"]


def test_compressed_structures_are_read_like_plain_ones(structures, tmp_path):
    plain = read_structures(structures)
    for file in list(structures.iterdir()):
        (structures / f"{file.name}.xz").write_bytes(lzma.compress(file.read_bytes()))
        file.unlink()
    assert read_structures(structures) == plain
    for name, content in {"all.json": {"al": plain[0].structure}, "al.json": plain[0].structure}.items():
        (tmp_path / f"{name}.gz").write_bytes(gzip.compress(json.dumps(content).encode()))
        assert [one.id for one in read_structures(tmp_path / f"{name}.gz")] == ["al"]


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("al.cif", "data_nothing\n", r"al.cif cannot be read as a structure"),
        ("all.json", '{"a": {"sites": 1}}', r"all.json cannot be read as structures"),
        ("all.json", '{"../a": STRUCTURE}', r"the id '../a'"),
        ("POSCAR_x", "x\n1.0\n3 0 0\n0 3 0\n0 0 3\n1\ndirect\n0 0 0\n", r"POSCAR_x does not name its elements"),
        ("two.json", '{"a": CLOSE}', r"two.json: a: two of its sites are closer than 0.4 A"),
        ("large.json", '{"a": LARGE}', r"large.json: a: its cell has 1.66e\+07 A\^3 per atom; lengths must be in A"),
        ("empty.json", "{}", r"holds no structure"),
        ("absent.cif", None, r"There is no .*absent.cif; give a structure file"),
    ],
)
def test_what_is_no_structure_is_refused(tmp_path, name, content, sentence):
    if content is not None:
        made = {"STRUCTURE": fcc("Al", 4.05), "LARGE": fcc("Al", 405.0)}
        made["CLOSE"] = Structure(made["STRUCTURE"].lattice, ["Al", "Al"], [[0, 0, 0], [0, 0, 0.01]])
        for word, structure in made.items():
            content = content.replace(word, json.dumps(structure.as_dict()))
        (tmp_path / name).write_text(content)
    with pytest.raises(DataError, match=sentence):
        read_structures(tmp_path / name)


def test_without_gpaw_the_extra_is_named(structures, tmp_path, monkeypatch):
    """A package without content stands in for one that is not there."""
    (tmp_path / "no" / "gpaw").mkdir(parents=True)
    (tmp_path / "no" / "gpaw" / "__init__.py").write_text("raise ImportError('no GPAW', name='gpaw')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "no"))
    with pytest.raises(MissingExtraError, match=r"Computing densities .*ecdbench\[dft\]"):
        compute_densities(structures, tmp_path / "out")


def test_a_density_of_another_structure_is_not_taken_for_this_one(structures, raw_dir, tmp_path):
    densities = tmp_path / "out" / "densities"
    densities.mkdir(parents=True)
    (densities / "al.npz").write_bytes((raw_dir / "densities" / "mp-101.npz").read_bytes())
    with pytest.raises(DataError, match=r"al.npz is the density of another structure than al now has"):
        compute_densities(structures, tmp_path / "out")
    (densities / "al.npz").write_bytes(b"PK")
    with pytest.raises(DataError, match=r"al.npz is damaged .*delete it to compute it again"):
        compute_densities(structures, tmp_path / "out")


@pytest.fixture
def engine(monkeypatch, tmp_path):
    """Stands in for the calculation in this process: what it is asked, and the kind of failure that it answers with."""
    asked, answers = [], []

    def in_child(request):
        asked.append((request["id"], request["attempt"]))
        return answers.pop(0)

    monkeypatch.setattr("ecdbench.tasks.builder.dft._in_child", in_child)
    return asked, answers


@pytest.mark.parametrize(
    ("kinds", "attempts"),
    [(["not converged", "not converged"], 2), (["not converged", None], 2), (["calculation died"], 1), ([None], 1)],
)
def test_only_what_does_not_converge_is_tried_again(engine, kinds, attempts):
    asked, answers = engine
    answers += [({"kind": kind, "reason": "because"}, None) if kind else ({}, b"density") for kind in kinds]
    structure = fcc("Al", 4.05).as_dict()
    if kinds[-1] is None:
        assert compute_density("al", structure, LIGHT) == b"density"
    else:
        with pytest.raises(CrystalError, match="because") as failure:
            compute_density("al", structure, LIGHT)
        assert failure.value.kind == kinds[-1]
    assert asked == [("al", attempt) for attempt in range(attempts)]


def test_the_table_keeps_what_its_owner_added_and_what_was_computed_before(raw_dir, structures, tmp_path, monkeypatch):
    """Real densities stand in for computed ones."""

    def finished(requests, job, pool, keep):
        for request, name in zip(requests, ("mp-101", "mp-102"), strict=False):
            keep(request, Outcome(request.id, (raw_dir / "densities" / f"{name}.npz").read_bytes()))

    monkeypatch.setattr("ecdbench.tasks.builder.compute.run_jobs", finished)
    compute_densities(structures, tmp_path / "out")
    table = tmp_path / "out" / "properties.csv"
    lines = table.read_text().splitlines()
    lines[0] = lines[0].replace("band_gap [eV]", "band_gap [meV]")
    lines[1] = lines[1].replace(",0.0,", ",99,", 1)
    table.write_text("\n".join([f"{lines[0]},k_vrh [GPa]", f"{lines[1]},76", f"{lines[2]},", "planned,,,,,5"]) + "\n")
    more = tmp_path / "more"
    more.mkdir()
    fcc("Ar", 5.3).to(filename=str(more / "ar.cif"), fmt="cif")
    compute_densities(more, tmp_path / "out")
    rows = {row["id"]: row for row in csv.DictReader(table.open())}
    assert sorted(rows) == ["al", "ar", "ne", "planned"]
    assert rows["al"]["k_vrh [GPa]"] == "76" and rows["planned"]["k_vrh [GPa]"] == "5"
    assert rows["al"]["formula"] == "Ir" and rows["al"]["band_gap [meV]"] == "99" and "band_gap [eV]" not in rows["al"]
    assert float(rows["ne"]["total_magnetization [muB]"]) > 1


@pytest.mark.parametrize(
    ("table", "sentence"),
    [
        ("id,k\nal,5\nal,6\n", "an id or a column more than once"),
        ("id,k,k\nal,5,6\n", "an id or a column more than once"),
        ("id,k\nal,5,7\n", "not a CSV table in UTF-8 with a column id"),
        ("name;k\nal;5\n", "not a CSV table in UTF-8 with a column id"),
    ],
)
def test_a_table_that_could_lose_values_is_refused_before_anything_is_computed(structures, tmp_path, table, sentence):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "properties.csv").write_text(table)
    with pytest.raises(DataError, match=sentence):
        compute_densities(structures, tmp_path / "out")
    assert (tmp_path / "out" / "properties.csv").read_text() == table


def test_a_failure_is_tried_again_for_another_structure_or_when_asked_for(structures, tmp_path, monkeypatch):
    tried = []

    def failing(requests, job, pool, keep):
        for request in requests:
            tried.append(request.id)
            keep(request, Outcome(request.id, None, Failure("not converged", "no", retryable=request.id == "ne")))

    monkeypatch.setattr("ecdbench.tasks.builder.compute.run_jobs", failing)
    found = compute_densities(structures, tmp_path / "out")
    assert (found.densities, dict(found.failures), found.retryable) == (0, {"not converged": 2}, 1)
    compute_densities(structures, tmp_path / "out")
    assert tried == ["al", "ne", "ne"]  # what may succeed is tried by every command
    compute_densities(structures, tmp_path / "out", retry_failed=True)
    assert tried[3:] == ["al", "ne"]
    fcc("Al", 4.2).to(filename=str(structures / "al.cif"), fmt="cif")
    compute_densities(structures, tmp_path / "out")
    assert tried[5:] == ["al", "ne"]


@needs_gpaw
def test_densities_are_computed_once_and_can_be_built(structures, tmp_path):
    out, seen = tmp_path / "out", []
    found = compute_densities(structures, out, settings=LIGHT, progress=lambda *counts: seen.append(counts))
    assert (found.densities, dict(found.failures), seen[-1]) == (2, {}, (2, 2, 0))
    volume = read_volume(out / "densities" / "al.npz")
    assert volume.integral("total") == pytest.approx(volume.meta["n_electrons"], abs=1e-4) == pytest.approx(3, abs=1e-3)
    assert volume.integral("deformation") == pytest.approx(0, abs=1e-3)
    assert volume.meta["band_gap_pbe_eV"] == 0
    assert read_volume(out / "densities" / "ne.npz").meta["band_gap_pbe_eV"] > 5
    before = {path.name: path.stat().st_mtime_ns for path in (out / "densities").iterdir()}
    compute_densities(structures, out, settings=LIGHT)
    assert {path.name: path.stat().st_mtime_ns for path in (out / "densities").iterdir()} == before
    plan = plan_user_folder("mine", out)
    assert plan.total == 2 and plan.blueprint.density_channels == ["total", "spin", "deformation"]


@needs_gpaw
def test_the_command(cli, tmp_path):
    fcc("Po", 4.9).to(filename=str(tmp_path / "po.cif"), fmt="cif")
    outcome = cli("compute", tmp_path / "po.cif", "--out", tmp_path / "out")
    assert outcome.code == 1 and "no PAW data" in outcome.out and "failures.csv" in outcome.out
    assert cli("compute", tmp_path / "none", "--out", tmp_path / "out").err.count("\n") == 1


@needs_gpaw
def test_a_failure_has_its_reason_and_does_not_stop_the_others(structures, tmp_path):
    fcc("Po", 4.9).to(filename=str(structures / "po.cif"), fmt="cif")
    found = compute_densities(structures, tmp_path / "out", settings=LIGHT)
    assert (found.densities, dict(found.failures)) == (2, {"no PAW data": 1})
    assert (tmp_path / "out" / "failures.csv").read_text().splitlines()[
        1
    ] == "po,no PAW data,GPAW has no PAW data set of Po"
    limited = compute_densities(
        structures, tmp_path / "late", settings=DftSettings(cutoff=250.0, k_density=1.5, time_limit=0.5)
    )
    assert limited.failures["calculation died"] == 3


@needs_gpaw
def test_a_kill_loses_only_what_was_in_flight(structures, tmp_path):
    """The command with a kill -9 in between gives the same densities, and leaves no process behind."""
    script = (
        "import sys; from pathlib import Path\n"
        "from ecdbench.tasks.builder.compute import compute_densities\n"
        "from ecdbench.tasks.builder.dft import DftSettings\n"
        "compute_densities(Path(sys.argv[1]), Path(sys.argv[2]), "
        "settings=DftSettings(cutoff=250.0, k_density=1.5, k_density_large=1.5))\n"
    )
    file = tmp_path / "run.py"
    file.write_text("if __name__ == '__main__':\n" + "".join(f"    {line}\n" for line in script.splitlines()))
    command = [sys.executable, str(file), str(structures), str(tmp_path / "out")]
    process = subprocess.Popen(command, env=os.environ)
    while not list((tmp_path / "out" / "densities").glob("[!.]*.npz")) and process.poll() is None:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    compute_densities(structures, tmp_path / "out", settings=LIGHT)
    compute_densities(structures, tmp_path / "whole", settings=LIGHT)
    for name in ("al.npz", "ne.npz"):
        with (
            np.load(tmp_path / "out" / "densities" / name) as one,
            np.load(tmp_path / "whole" / "densities" / name) as two,
        ):
            assert all(np.array_equal(one[key], two[key]) for key in one.files)
