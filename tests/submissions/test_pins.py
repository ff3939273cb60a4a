"""What a change of the data does to runs: those that read what was changed are refused, and no others."""

import json
import re
import shutil

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from ecdbench import evaluate, load_task
from ecdbench.benchmark.columns import column_sha256
from ecdbench.benchmark.errors import DataError
from ecdbench.benchmark.task import SPLITS
from ecdbench.submissions.entry import accepted_entries
from ecdbench.submissions.reference import References
from ecdbench.submissions.rescoring import rescore
from ecdbench.submissions.verify import verify_entry
from ecdbench.tasks.datasets import DATASETS, ecd_fcc
from ecdbench.tasks.datasets.folder import DatasetFolder, FolderDefinition


class Copy:
    """A copy of ecd-fcc whose columns a test changes, manifest and all."""

    def __init__(self, folder):
        self.folder = folder
        self.definition = FolderDefinition(folder, "Copy it again.", "packaged")

    def write(self, name, kind, role, cells, arrow):
        """Write a column, in place of the one of that name if there is one."""
        manifest = json.loads((self.folder / "manifest.json").read_text())
        for split in SPLITS:
            table = pq.read_table(self.folder / f"{split}.parquet")
            values = pa.array([cells[sample_id] for sample_id in table["id"].to_pylist()], arrow)
            if name in table.column_names:
                table = table.set_column(table.column_names.index(name), name, values)
            else:
                table = table.append_column(name, values)
            pq.write_table(table, self.folder / f"{split}.parquet")
        columns = manifest["facts"]["columns"]
        if name not in [column["name"] for column in columns]:
            columns.append({"name": name, "kind": kind, "role": role})
        hashed = {m: np.array(cell, dtype=np.float32) for m, cell in cells.items()} if kind == "array" else cells
        manifest["column_sha256"][name] = column_sha256(hashed)
        (self.folder / "manifest.json").write_text(json.dumps(manifest))

    def cells(self, name):
        return DatasetFolder(self.folder, "").read([name])[name]


@pytest.fixture
def copy(tmp_path, monkeypatch):
    found = Copy(shutil.copytree(ecd_fcc.PACKAGED, tmp_path / "ecd-fcc"))
    monkeypatch.setitem(DATASETS._loaded, "ecd-fcc", found.definition)
    return found


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Runs of quick models, by task, model and protocol."""
    out, found = tmp_path_factory.mktemp("runs"), {}
    for task in ("k_vrh", "band_gap"):
        for model in ("mean", "knn-composition", "pixel-ridge", "density-forest"):
            for protocol in ("fixed", "cv") if model == "mean" else ("fixed",):
                options = {"trees": 5} if model == "density-forest" else {}
                found[task, model, protocol] = evaluate(
                    model, f"ecd-fcc/{task}", parameters=options, protocol=protocol, out=out, cache=out / "cache"
                )
    return found


def refused(runs):
    """What is different now of what a run read, by run; those that can be rescored are not in it."""
    references, found = References(), {}
    for key, run in runs.items():
        try:
            rescore(run.folder, references)
        except DataError as error:
            reason = re.search(r"(other rows|another version of the column (\w+)) of ecd-fcc/", str(error))
            found[key] = reason[2] or reason[1]
    return found


def test_nothing_is_refused_where_nothing_changed(copy, runs):
    assert refused(runs) == {}


def test_a_new_column_refuses_none(copy, runs):
    ids = copy.cells("id")
    copy.write("hardness", "number", "property", dict.fromkeys(ids, 1.5), pa.float64())
    copy.write("toughness", "number", "target", dict.fromkeys(ids, 2.5), pa.float64())
    assert copy.cells("hardness")[next(iter(ids))] == 1.5
    assert refused(runs) == {}


def test_a_changed_target_refuses_the_runs_on_it(copy, runs):
    values = copy.cells("k_vrh")
    copy.write("k_vrh", "number", "target", {m: v and v + (m == "mp-101") for m, v in values.items()}, pa.float64())
    assert refused(runs) == {key: "k_vrh" for key in runs if key[0] == "k_vrh"}


def test_a_changed_density_refuses_the_runs_that_look_at_it(copy, runs):
    cells = {m: cell.tolist() for m, cell in copy.cells("structure_factors_total").items()}
    cells["mp-101"] = [[2 * part for part in pair] for pair in cells["mp-101"]]
    copy.write("structure_factors_total", "array", "input", cells, pa.list_(pa.list_(pa.float32())))
    expected = {key: "structure_factors_total" for key in runs if key[1] in ("pixel-ridge", "density-forest")}
    assert refused(runs) == expected


def test_a_changed_fold_refuses_the_cross_validations(copy, runs):
    folds = copy.cells("fold_official")
    moved = {m: (fold + (m == "mp-101")) % 10 for m, fold in folds.items()}
    copy.write("fold_official", "integer", "fold", moved, pa.int64())
    assert refused(runs) == {key: "fold_official" for key in runs if key[2] == "cv"}


def test_entries_of_an_earlier_release_are_scored_on_its_rows():
    """The accepted entries on ecd-fcc were made before it grew, on pictures that are made in another way now."""
    for name in ("k_vrh/mean", "band_gap/pixel-ridge", "formation_energy_per_atom/knn-composition"):
        verified = verify_entry(accepted_entries() / f"ecd-fcc--{name}", References())
        assert verified.verdict == "verified"
        assert {run.reference.data.task.source.partition("/")[0] for run in verified.runs} == {"ecd-fcc@1"}


def test_an_earlier_release_has_no_inputs():
    data = load_task("ecd-fcc@1/k_vrh")
    assert len(data.ids) == 188
    with pytest.raises(DataError, match=r"ecd-fcc@1 is an earlier release, of which density_total is not kept"):
        data.rows[data.ids[0]]
    with pytest.raises(DataError, match=r"There is no"):
        load_task("ecd-fcc@99/k_vrh")
