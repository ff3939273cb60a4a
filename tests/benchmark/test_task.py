"""Tables handed to predictors: in memory or on disk, they hold the same rows and no others."""

import gc
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from ecdbench.tasks.catalogue import load_task


@pytest.fixture
def on_disk(monkeypatch):
    monkeypatch.setattr("ecdbench.benchmark.task.ROWS_IN_MEMORY", 10)


def test_a_large_table_is_on_disk_and_says_the_same(monkeypatch):
    data = load_task("ecd-fcc/k_vrh", text="key")
    ids = data.splits["train"]
    here = data.labelled(ids)
    monkeypatch.setattr("ecdbench.benchmark.task.ROWS_IN_MEMORY", 10)
    there = data.labelled(ids)
    assert here.features == there.features
    assert not here.cache_files
    assert there.cache_files
    for name in ("id", "text", "formula"):
        assert here[name] == there[name]
    assert np.array_equal(here["target"], there["target"])
    assert np.array_equal(here["density"], there["density"])
    assert np.array_equal(np.asarray(here[3]["image"]), np.asarray(there[3]["image"]))


@pytest.mark.usefixtures("on_disk")
def test_the_file_holds_no_other_row_and_goes_with_the_table():
    data = load_task("ecd-fcc/k_vrh")
    table = data.labelled(data.splits["train"])
    file = Path(table.cache_files[0]["filename"])
    with pa.memory_map(str(file)) as source:
        assert pa.ipc.open_stream(source).read_all().column("id").to_pylist() == list(data.splits["train"])
    del table
    gc.collect()
    assert not file.exists()


def test_rows_are_read_when_they_are_asked_for(monkeypatch):
    data = load_task("ecd-fcc/band_gap", text="all")
    assert len(data.rows) == len(data.ids) == sum(map(len, data.splits.values()))
    first = data.rows[data.ids[0]]
    assert sorted(first) == ["density", "formula", "image", "text"]
    with pytest.raises(KeyError):
        data.rows["mp-0"]
    known = load_task("ecd-fcc/formation_energy_per_atom").rows
    assert 0 < len(known) < len(data.rows)  # not of every crystal
