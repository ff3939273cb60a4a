import json
import shutil

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from ecdbench import load_task
from ecdbench.benchmark.errors import DataError
from ecdbench.tasks.catalogue import task_ids
from ecdbench.tasks.composition import parse_formula
from ecdbench.tasks.datasets import ecd_fcc
from ecdbench.tasks.datasets.folder import DatasetFolder
from ecdbench.tasks.splits import hashed_fold, hashed_split


@pytest.fixture
def copy(tmp_path):
    """A copy of the packaged dataset that a test may damage."""
    return shutil.copytree(ecd_fcc.PACKAGED, tmp_path / "ecd-fcc")


def test_the_package_is_small():
    assert sum(file.stat().st_size for file in ecd_fcc.PACKAGED.iterdir()) < 20 * 2**20


@pytest.mark.parametrize("task", [task for task in task_ids() if task.startswith("ecd-fcc")])
def test_splits(task):
    for scheme in ("official", "grouped"):
        data = load_task(task, split=scheme)
        assert sorted(data.ids) == sorted(data.rows)
        assert len(set(data.ids)) == len(data.ids)
        for split, ids in data.splits.items():
            keys = ids if scheme == "official" else [data.groups[m] for m in ids]
            assert {hashed_split(key) for key in keys} <= {split}
            assert [data.folds[m] for m in ids] == [hashed_fold(key) for key in keys]
    assert np.isfinite(data.targets(data.ids)).all()


def test_rows(k_vrh):
    data = load_task("ecd-fcc/k_vrh", text="all", channel="deformation")
    rows = data.labelled(data.splits["validation"])
    assert rows.column_names == ["id", "image", "density", "formula", "text", "target"]
    first = rows[0]
    assert first["image"].size == (75, 75) and first["image"].mode == "RGB"
    assert isinstance(first["density"], np.ndarray) and first["density"].shape == (75, 75)
    assert "crystallizes in the cubic" in first["text"]
    assert parse_formula(first["formula"])
    assert np.asarray(rows["target"]) == pytest.approx(data.targets(data.splits["validation"]))
    assert "text" not in k_vrh.table(k_vrh.splits["validation"]).column_names


def test_texts_do_not_give_targets_away():
    data = load_task("ecd-fcc/k_vrh", text="all")
    for row in data.rows.values():
        assert not any(
            word in row["text"].lower() for word in ("modulus", "gpa", "band gap", "formation energy", "magnet")
        )


@pytest.mark.parametrize("column", ["k_vrh", "text_key", "structure_factors_total", "split_grouped"])
def test_changed_data_are_refused(copy, column):
    table = pq.read_table(copy / "holdout.parquet")
    values = table[column].to_pylist()
    values[0], values[1] = values[1], values[0]
    if values[0] == values[1]:
        values[0] = "train" if values[0] != "train" else "holdout"
    index = table.column_names.index(column)
    changed = table.set_column(index, table.schema.field(index), pa.array(values, table.schema.field(index).type))
    pq.write_table(changed, copy / "holdout.parquet")
    with pytest.raises(DataError, match=rf"was changed: the column {column} does not match the manifest. Reinstall"):
        DatasetFolder(copy, "Reinstall.").read([column])
    other = "formation_energy_per_atom"
    assert len(DatasetFolder(copy, "Reinstall.").read([other])[other]) == len(
        load_task("ecd-fcc/band_gap").ids
    )  # the others are as they were


def test_rows_that_were_exchanged_between_files_are_refused(copy):
    (copy / "train.parquet").rename(copy / "other")
    (copy / "validation.parquet").rename(copy / "train.parquet")
    (copy / "other").rename(copy / "validation.parquet")
    with pytest.raises(DataError, match=r"it is in train.parquet, but its split_official is validation"):
        DatasetFolder(copy, "Reinstall.").read(["k_vrh"])


def test_metals_are_those_without_a_gap():
    data = load_task("ecd-fcc/is_metal")
    gaps = load_task("ecd-fcc/band_gap")
    assert data.ids == gaps.ids and data.task.target.kind == "classification" and data.task.main_metric == "log_loss"
    assert np.array_equal(data.targets(data.ids), gaps.targets(gaps.ids) == 0)
    assert 0.5 < data.targets(data.ids).mean() < 0.9


def test_damaged_files_are_refused(copy):
    content = (copy / "train.parquet").read_bytes()
    (copy / "train.parquet").write_bytes(content[: len(content) // 2])
    with pytest.raises(DataError, match=r"train.parquet cannot be read.*Reinstall"):
        DatasetFolder(copy, "Reinstall.").verify()
    (copy / "train.parquet").unlink()
    with pytest.raises(DataError, match="cannot be read"):
        DatasetFolder(copy, "Reinstall.").verify()
    (copy / "manifest.json").write_text("{")
    with pytest.raises(DataError, match="no readable manifest"):
        DatasetFolder(copy, "Reinstall.")


def test_an_input_has_no_empty_cells(copy):
    table = pq.read_table(copy / "holdout.parquet")
    index = table.column_names.index("structure_factors_total")
    field = table.field(index)
    pq.write_table(table.set_column(index, field, pa.nulls(len(table), field.type)), copy / "holdout.parquet")
    with pytest.raises(DataError, match=r"holdout.parquet has empty cells in structure_factors_total"):
        DatasetFolder(copy, "").verify(["structure_factors_total"])


def test_a_manifest_that_forgets_a_column_is_refused(copy):
    manifest = json.loads((copy / "manifest.json").read_text())
    columns = manifest["facts"]["columns"]
    manifest["facts"]["columns"] = [one for one in columns if one["name"] != "split_grouped"]
    (copy / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(DataError, match=r"needs the columns split_grouped|describes or hashes split_grouped"):
        DatasetFolder(copy, "")


def test_other_tools_open_it(copy):
    from datasets import disable_progress_bars, load_dataset

    disable_progress_bars()
    loaded = load_dataset(str(copy), cache_dir=str(copy.parent / "hf"))
    manifest = json.loads((copy / "manifest.json").read_text())
    assert {split: part.num_rows for split, part in loaded.items()} == manifest["rows"]
    row = loaded["train"].with_format("numpy")[0]
    assert row["reflections"].shape[1] == 3
    assert row["structure_factors_total"].shape == (len(row["reflections"]), 2)
    croissant = json.loads((copy / "croissant.json").read_text())
    assert croissant["conformsTo"] == "http://mlcommons.org/croissant/1.0"
    columns = {field["name"] for field in croissant["recordSet"][0]["field"]}
    assert columns == set(pq.read_schema(copy / "train.parquet").names)
