"""Computing densities of one's own structures. What needs GPAW runs where it is installed, with light settings."""

import importlib.util
import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from ecdbench.benchmark.errors import DataError, MissingExtraError
from ecdbench.tasks.builder.compute import compute_densities, read_structures
from ecdbench.tasks.builder.densities import read_volume
from ecdbench.tasks.builder.dft import DftSettings
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


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("al.cif", "data_nothing\n", r"al.cif cannot be read as a structure"),
        ("all.json", '{"a": {"sites": 1}}', r"all.json cannot be read as structures"),
        ("all.json", '{"../a": STRUCTURE}', r"the id '../a'"),
        ("empty.json", "{}", r"holds no structure"),
        ("absent.cif", None, r"There is no .*absent.cif; give a structure file"),
    ],
)
def test_what_is_no_structure_is_refused(tmp_path, name, content, sentence):
    if content is not None:
        structure = json.dumps(fcc("Al", 4.05).as_dict())
        (tmp_path / name).write_text(content.replace("STRUCTURE", structure))
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
