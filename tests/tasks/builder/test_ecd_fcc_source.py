"""Building `ecd-fcc` from its raw folder."""

import csv
import json
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest
from ecdbench.benchmark.errors import DataError
from ecdbench.tasks.builder.assembly import build_dataset
from ecdbench.tasks.builder.ecd_fcc_source import plan_ecd_fcc, store_descriptions
from ecdbench.tasks.builder.slices import PlaneSettings
from ecdbench.tasks.datasets import ecd_fcc
from ecdbench.tasks.datasets.folder import DatasetFolder

FILES = sorted(path.name for path in ecd_fcc.PACKAGED.iterdir())


def build(raw, out, plane=None, regrid=None, workers=1):
    """Build `ecd-fcc`, and keep its descriptions."""
    planned = plan_ecd_fcc(raw, out, plane or PlaneSettings(), regrid)
    report = build_dataset(planned, out, out.parent / "cache", workers=workers)
    store_descriptions(raw, out)
    return report


@pytest.fixture
def small(raw_dir, tmp_path):
    """A raw folder with the first twelve crystals, which a test may damage, and the packaged descriptions."""
    raw, out = tmp_path / "raw", tmp_path / "out"
    (raw / "densities").mkdir(parents=True)
    out.mkdir()
    shutil.copyfile(ecd_fcc.PACKAGED / "descriptions.json", out / "descriptions.json")
    with (raw_dir / "properties.csv").open() as file:
        header, *lines = file.readlines()
    (raw / "properties.csv").write_text(header + "".join(lines[:12]))
    for row in csv.DictReader([header, *lines[:12]]):
        name = f"{row['material_id']}.npz"
        shutil.copyfile(raw_dir / "densities" / name, raw / "densities" / name)
    return raw, out


def test_the_packaged_dataset_is_what_the_raw_folder_gives_byte_for_byte(raw_dir, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    shutil.copyfile(ecd_fcc.PACKAGED / "descriptions.json", out / "descriptions.json")
    build(raw_dir, out, workers=2)
    for name in FILES:
        assert (out / name).read_bytes() == (ecd_fcc.PACKAGED / name).read_bytes(), name


def test_a_subset_of_the_crystals_keeps_splits_and_content(small):
    raw, out = small
    build(raw, out)
    part, whole = (DatasetFolder(folder, "") for folder in (out, ecd_fcc.PACKAGED))
    assert len(part.digests("id")) == 12
    for name in part.columns:
        assert part.digests(name).items() <= whole.digests(name).items()


def test_settings_are_in_the_manifest_and_change_the_slices(small):
    raw, out = small
    build(raw, out, PlaneSettings(size=20, offset=0.5), 60)
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest["plane"]["offset"] == 0.5
    assert manifest["regrid"] == 60
    assert next(DatasetFolder(out, "").stream("train"))["density_total"].shape == (20, 20)


def test_an_incomplete_raw_folder_is_refused(small):
    raw, out = small
    (raw / "properties.csv").rename(raw / "other.csv")
    with pytest.raises(DataError, match=r"holds no properties.csv"):
        build(raw, out)


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("nsites,k_vrh,", "nsites,bulk,", "lacks the columns k_vrh"),
        ("mp-10182,LiZnP", "../mp-10182,LiZnP", "ids are letters, digits and hyphens"),
        ("mp-10182,LiZnP", "mp-101,LiZnP", "more than once"),
        ("mp-101,Ir,225,1,346", "mp-101,Ir,225,1,big", "not a number"),
    ],
)
def test_a_damaged_property_table_is_refused(small, old, new, sentence):
    raw, out = small
    table = (raw / "properties.csv").read_text()
    assert old in table
    (raw / "properties.csv").write_text(table.replace(old, new))
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


def test_a_full_disk_stops_the_build_and_freed_space_resumes_it(small):
    """The shell's limit on file size stands in for a full disk: no file may be larger than 8 kB."""
    raw, out = small
    command = [sys.executable, "-m", "ecdbench", "build", "ecd-fcc", "--source", str(raw), "--out", str(out)]
    limited = ["bash", "-c", 'trap "" XFSZ; ulimit -f 8; exec "$@"', "-", *command]
    outcome = subprocess.run(limited, capture_output=True, text=True, check=False)
    assert outcome.returncode == 1
    assert "Error: File too large" in outcome.stderr
    assert "Make room" in outcome.stderr
    assert "Traceback" not in outcome.stderr
    assert subprocess.run(command, capture_output=True, check=False).returncode == 0
