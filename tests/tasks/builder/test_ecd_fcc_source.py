"""Building `ecd-fcc` from its raw folder."""

import csv
import json
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from ecdbench.benchmark.errors import DataError
from ecdbench.tasks.builder.assembly import build_dataset
from ecdbench.tasks.builder.ecd_fcc_source import plan_ecd_fcc
from ecdbench.tasks.datasets import ecd_fcc
from ecdbench.tasks.datasets.folder import DatasetFolder

from .conftest import seed_descriptions


def build(raw, out, adds=False, workers=1):
    """Build `ecd-fcc`, with the texts that are packaged."""
    seed_descriptions(out.parent / "cache")
    return build_dataset(replace(plan_ecd_fcc([raw], out), adds=adds), out, out.parent / "cache", workers=workers)


@pytest.fixture
def small(raw_dir, tmp_path):
    """A raw folder with twelve crystals, which a test may damage."""
    raw, out = tmp_path / "raw", tmp_path / "out"
    (raw / "densities").mkdir(parents=True)
    names = sorted(path.name for path in (raw_dir / "densities").iterdir())[:12]
    for name in names:
        shutil.copyfile(raw_dir / "densities" / name, raw / "densities" / name)
    header, *lines = (raw_dir / "known_values.csv").read_text().splitlines(keepends=True)
    ids = {name.removesuffix(".npz") for name in names}
    (raw / "known_values.csv").write_text(header + "".join(one for one in lines if one.split(",")[0] in ids))
    return raw, out


def files(folder):
    """The files of a dataset folder, by name."""
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file()}


def test_the_packaged_rows_are_what_the_raw_folder_gives_bit_for_bit(small, tmp_path):
    raw, out = small
    report = build(raw, out, workers=2)
    assert (report.rows, dict(report.failures)) == (12, {})
    part, whole = (DatasetFolder(folder, "") for folder in (out, ecd_fcc.PACKAGED))
    for name in part.columns:
        assert part.digests(name).items() <= whole.digests(name).items(), name
    again = tmp_path / "again" / "out"
    build(raw, again)
    assert files(again) == files(out)


def test_adding_crystals_moves_no_id_and_changes_no_old_row(small, tmp_path):
    raw, out = small
    build(raw, out)
    at_once = files(out)
    first, second = tmp_path / "first", tmp_path / "second"
    for folder, part in ((first, slice(0, 7)), (second, slice(7, 12))):
        (folder / "densities").mkdir(parents=True)
        shutil.copyfile(raw / "known_values.csv", folder / "known_values.csv")
        for path in sorted((raw / "densities").iterdir())[part]:
            shutil.copyfile(path, folder / "densities" / path.name)
    grown = tmp_path / "grown" / "out"
    build(first, grown)
    before = {name: dict(DatasetFolder(grown, "").digests(name)) for name in DatasetFolder(grown, "").columns}
    shutil.rmtree(grown / ".work")
    shutil.rmtree(first)  # the raw files of the old rows are gone
    assert build(second, grown, adds=True).rows == 12
    for name, digests in before.items():
        assert digests.items() <= DatasetFolder(grown, "").digests(name).items(), name
    assert files(grown) == at_once


def test_an_interrupt_between_two_files_leaves_nothing_half_added(small, tmp_path, monkeypatch):
    raw, out = small
    build(raw, out)
    at_once = files(out)
    moved = tmp_path / "moved"
    moved.mkdir()
    for path in sorted((raw / "densities").iterdir())[7:]:
        path.rename(moved / path.name)
    first = tmp_path / "grown" / "out"
    build(raw, first)
    shutil.rmtree(raw / "densities")
    moved.rename(raw / "densities")
    plain, done = Path.replace, []

    def interrupted(path, target):
        if path.parent.name == "finished" and len(done) == 3:
            raise KeyboardInterrupt
        done.extend([path] if path.parent.name == "finished" else [])
        return plain(path, target)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Path, "replace", interrupted)
        build(raw, first, adds=True)
    assert len(done) == 3
    assert build(raw, first, adds=True).rows == 12
    assert files(first) == at_once


def test_an_old_row_is_kept_where_the_new_density_is_damaged(small):
    raw, out = small
    build(raw, out)
    before = {name: dict(DatasetFolder(out, "").digests(name)) for name in DatasetFolder(out, "").columns}
    (raw / "densities" / "mp-101.npz").write_bytes((raw / "densities" / "mp-101.npz").read_bytes()[:-5000])
    report = build(raw, out, adds=True)
    assert (report.rows, dict(report.failures)) == (12, {"broken density": 1})
    assert all(DatasetFolder(out, "").digests(name) == digests for name, digests in before.items())
    assert "mp-101.npz cannot be read as a density" in (out / "failures.csv").read_text()


def test_only_the_same_dataset_in_the_same_form_is_added_to(small, tmp_path):
    raw, out = small
    with pytest.raises(DataError, match=r"no readable manifest"):
        build(raw, tmp_path / "new" / "out", adds=True)
    build(raw, out)
    manifest = json.loads((out / "manifest.json").read_text())
    (out / "manifest.json").write_text(json.dumps({**manifest, "builder_version": "3"}))
    with pytest.raises(DataError, match=r"in another form or with other columns; build it from all of its densities"):
        build(raw, out, adds=True)


def test_values_come_from_the_first_source_that_has_a_physical_one(small):
    raw, out = small
    header, *lines = (raw / "known_values.csv").read_text().splitlines()
    columns = header.split(",")
    record = dict(zip(columns, next(one for one in lines if one.startswith("mp-101,")).split(","), strict=True))
    record |= {"paper_k_vrh": "-5.0", "elastic_tensor_2015_k_vrh": "346.0", "mp_6059_k_vrh": "340.0"}
    record |= {"paper_g_vrh": "200.0", "paper_g_voigt": "100.0", "paper_g_reuss": "300.0"}
    record |= {"elastic_tensor_2015_g_vrh": "", "mp_6059_g_vrh": "217.0", "paper_formation_energy_per_atom": ""}
    record |= {"flla_2015_formation_energy_per_atom": "-0.5"}
    kept = [one for one in lines if not one.startswith("mp-101,")]
    (raw / "known_values.csv").write_text("\n".join([header, *kept, ",".join(record[name] for name in columns)]) + "\n")
    build(raw, out)
    names = ["k_vrh", "k_vrh_source", "g_vrh", "g_vrh_source", "formation_energy_per_atom"]
    values = DatasetFolder(out, "").read(names)
    assert [values[name]["mp-101"] for name in names] == [346.0, "elastic_tensor_2015", 217.0, "mp_6059", None]


def test_an_incomplete_raw_folder_is_refused(small):
    raw, out = small
    (raw / "known_values.csv").rename(raw / "other.csv")
    with pytest.raises(DataError, match=r"None of the folders holds known_values.csv"):
        build(raw, out)


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("mp_6059_k_vrh,", "bulk,", "lacks the columns mp_6059_k_vrh"),
        ("mp-102,Co,225", "mp-102,Co,Fm-3m", "the space group of mp-102 is not a number"),
        ("mp-102,", "mp-101,", "more than once"),
        ("mp-101,Ir,225,1,True,rebuilt_exact,", "mp-101,Ir,225,1,True,rebuilt_exact,big", "not a number"),
    ],
)
def test_a_damaged_table_is_refused(small, old, new, sentence):
    raw, out = small
    table = (raw / "known_values.csv").read_text()
    assert old in table
    (raw / "known_values.csv").write_text(table.replace(old, new))
    with pytest.raises(DataError, match=sentence):
        build(raw, out)


def test_a_density_that_lost_electrons_is_recorded_and_the_others_are_built(small):
    raw, out = small
    path = sorted((raw / "densities").iterdir())[0]
    with np.load(path) as file:
        content = dict(file)
    content["total"] = content["total"] * 0.99
    np.savez(path, **content)
    report = build(raw, out)
    assert (report.rows, dict(report.failures), report.retryable) == (11, {"broken density": 1}, 0)
    (failure,) = csv.DictReader((out / "failures.csv").open())
    assert failure["id"] == path.stem
    assert re.search(r"integrates to .* electrons, not", failure["reason"])
    assert path.stem not in DatasetFolder(out, "").digests("id")


def test_a_full_disk_stops_the_build_and_freed_space_resumes_it(small, tmp_path):
    """The shell's limit on file size stands in for a full disk: no file may be larger than 8 kB."""
    raw, out = small
    seed_descriptions(tmp_path / "cache")
    command = [sys.executable, "-m", "ecdbench", "build", "ecd-fcc", "--source", str(raw), "--out", str(out)]
    limited = ["bash", "-c", 'trap "" XFSZ; ulimit -f 8; exec "$@"', "-", *command]
    outcome = subprocess.run(limited, capture_output=True, text=True, check=False)
    assert outcome.returncode == 1
    assert "Error: File too large" in outcome.stderr
    assert "Make room" in outcome.stderr
    assert "Traceback" not in outcome.stderr
    assert subprocess.run(command, capture_output=True, check=False).returncode == 0
