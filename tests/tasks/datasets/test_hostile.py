"""Datasets of strangers: none executes anything, hangs or fills memory, and each is refused in one sentence."""

import io
import os
import resource
import shutil
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from ecdbench.benchmark.errors import DataError
from ecdbench.benchmark.limited_process import LimitedProcess
from ecdbench.tasks.catalogue import load_task
from ecdbench.tasks.datasets import DATASETS, inspection
from ecdbench.tasks.datasets.table import TableDefinition
from hypothesis import given
from hypothesis import strategies as st
from PIL import EpsImagePlugin, Image

from .hostile import CANARY, EPS, FACTS, HONEST, HOSTILE, column, image, picture, rows, write_honest

SECONDS, MEMORY = 60, 2 * 2**30


@pytest.fixture(scope="module")
def honest(tmp_path_factory):
    return write_honest(tmp_path_factory.mktemp("honest") / "gems")


@pytest.fixture(scope="module")
def reader():
    """One process for all cases, since most of what an inspection takes is its start."""

    class Kept(LimitedProcess):
        def __exit__(self, *error):
            pass

    kept = Kept()
    yield kept
    kept.close()


@pytest.fixture
def folder(honest, tmp_path, monkeypatch, reader):
    monkeypatch.setattr(inspection, "LimitedProcess", lambda: reader)
    return shutil.copytree(honest, tmp_path / "gems")


def read_everything(folder: Path):
    """What a model, an audit or a listing would look at."""
    for split in ("official", "grouped"):
        data = load_task(f"{folder}/hardness", text="key", split=split)
        for row in data.labelled(data.ids):
            row["image"].load()


def peak(process: str = "self") -> int:
    """The most memory that a process has had, in bytes."""
    status = Path(f"/proc/{process}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) * 1024


@contextmanager
def little_time_and_memory():
    Path("/proc/self/clear_refs").write_text("5")  # the peak so far is forgotten
    before, start = peak(), time.monotonic()
    yield
    assert time.monotonic() - start < SECONDS
    assert peak() - before < MEMORY
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024 < MEMORY


def test_the_corpus_is_large():
    assert len(HOSTILE) >= 80


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_datasets_are_refused_in_one_sentence(name, folder):
    spoil, sentence = HOSTILE[name]
    spoil(folder)
    with little_time_and_memory(), pytest.raises(DataError) as refusal:
        read_everything(folder)
    said = str(refusal.value)
    assert sentence in said and "gems" in said
    assert said.isprintable() and len(said) < 700
    assert not list(Path.cwd().parent.rglob(CANARY))


@pytest.mark.parametrize("name", HONEST)
def test_odd_datasets_are_read(name, folder):
    HONEST[name](folder)
    read_everything(folder)
    assert not list(Path.cwd().parent.rglob(CANARY))


def test_a_dataset_that_takes_too_long_is_given_up(folder, monkeypatch):
    """Within bounds, picture by picture."""
    monkeypatch.setattr(inspection, "LEAST_SECONDS", 0.5)
    file = io.BytesIO()
    Image.new("RGB", (4096, 4096)).save(file, "PNG", compress_level=1)
    column("image_total", shape=[])(folder)
    slow = {"bytes": file.getvalue(), "path": None}
    rows(lambda found: [row | {"image_total": slow} for row in found], "train")(folder)
    with little_time_and_memory(), pytest.raises(DataError, match="takes more than 1 seconds to read, too long"):
        read_everything(folder)


@given(content=st.binary(max_size=400), at=st.integers(0, 30_000))
def test_any_bytes_in_a_file(honest, reader, tmp_path_factory, content, at):
    original = (honest / "holdout.parquet").read_bytes()
    file = tmp_path_factory.getbasetemp() / "spoiled.parquet"
    at %= len(original)
    file.write_bytes(original[:at] + content + original[at + len(content) :])
    files = [honest / "train.parquet", honest / "validation.parquet", file]
    with suppress(DataError, MemoryError, ChildProcessError):  # some bytes crash the library that reads them
        reader(inspection.read_through, files, FACTS.columns, len(original), "Load it again.", seconds=30)


def test_what_passed_is_remembered_until_a_file_changes(folder, monkeypatch, reader):
    inspected = []
    monkeypatch.setattr(inspection, "LimitedProcess", lambda: inspected.append(1) or reader)
    read_everything(folder)
    read_everything(folder)
    assert len(inspected) == 1
    monkeypatch.setattr(inspection, "_found", {})  # another process finds the record in the cache
    read_everything(folder)
    assert len(inspected) == 1
    before = (folder / "holdout.parquet").stat()
    image(EPS)(folder)
    os.utime(folder / "holdout.parquet", ns=(before.st_atime_ns, before.st_mtime_ns))
    with pytest.raises(DataError, match="no PNG or JPEG"):
        read_everything(folder)


def test_data_of_the_package_are_as_trustworthy_as_its_code(monkeypatch):
    monkeypatch.setattr(inspection, "LimitedProcess", None)
    assert load_task("ecd-fcc/k_vrh").labelled(["mp-101"])[0]["image"].size == (75, 75)


@pytest.fixture
def trap(monkeypatch, tmp_path):
    """A Ghostscript that leaves a file behind; what Pillow starts where it decodes an EPS."""
    (tmp_path / "bin").mkdir()
    sprung = tmp_path / "sprung"
    program = tmp_path / "bin" / "gs"
    program.write_text(f"#!/bin/sh\ntouch {sprung}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    monkeypatch.setattr(EpsImagePlugin, "gs_binary", None)
    with suppress(OSError):
        Image.open(io.BytesIO(EPS)).load()
    assert sprung.exists()
    sprung.unlink()
    return sprung


def test_no_command_starts_the_program_that_a_picture_asks_for(cli, folder, trap, tmp_path):
    task = f"{folder}/hardness"
    runs = tmp_path / "runs"
    for model in ("mean", "pixel-ridge"):
        assert cli("evaluate", model, "--task", task, "--out", runs).code == 0
    image(EPS)(folder)
    assert cli("tasks", "show", task).code == 0  # the manifest only
    for command in (
        ("tasks", "rows", task),
        *(("evaluate", model, "--task", task, "--fresh") for model in ("mean", "pixel-ridge", "nearest-image")),
        ("check", "pixel-ridge", "--task", task),
        ("ablate", "pixel-ridge", "--task", task),
        ("tune", "pixel-ridge", "--task", task, "--trials", "1"),
        ("stability", "pixel-ridge", "--task", task, "--seeds", "2"),
        ("audit", task),
        ("publish", folder, "--repo", "my-org/gems", "--dry-run"),
    ):
        outcome = cli(*command)
        assert outcome.code == 1 and "no PNG or JPEG" in outcome.err, command
        assert outcome.err.count("\n") == 1, command
    first, second = (runs / "gems").iterdir()
    for command in (("show", first), ("compare", first, second), ("leaderboard", runs)):
        cli(*command)
    assert not trap.exists()


def test_a_picture_of_a_package_is_looked_at_too(trap, monkeypatch):
    """Data that another package makes are not inspected, and its pictures come from anywhere."""
    ids = [f"gem-{number}" for number in range(10)]
    splits = dict(zip(ids, ["train"] * 6 + ["validation"] * 2 + ["holdout"] * 2, strict=True))
    cells = {
        "id": {one: one for one in ids},
        "formula": dict.fromkeys(ids, "K2S"),
        "image_total": dict.fromkeys(ids, EPS),
        "hardness": {one: float(one[-1]) for one in ids},
        **dict.fromkeys(("split_official", "split_grouped"), splits),
        **dict.fromkeys(("fold_official", "fold_grouped"), dict.fromkeys(ids, 0)),
    }
    monkeypatch.setitem(DATASETS.points, "gems", None)
    monkeypatch.setitem(DATASETS._loaded, "gems", TableDefinition(FACTS, lambda name: cells.get(name, cells["id"])))
    with pytest.raises(DataError, match="the picture is no PNG or JPEG"):
        load_task("gems").only(["image"]).labelled(ids)
    cells["image_total"] = dict.fromkeys(ids, picture(1))
    assert load_task("gems").only(["image"]).labelled(ids)[0]["image"].size == (16, 16)
    splits["gem-9"] = "exam"
    with pytest.raises(DataError, match="gem-9 is in the split 'exam', which is none of train, validation, holdout"):
        load_task("gems")
    assert not trap.exists()
