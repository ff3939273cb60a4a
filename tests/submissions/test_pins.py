"""What a change of the data does to entries: those that read what was changed are refused, and no others."""

import json
import shutil

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from ecdbench.benchmark.columns import column_sha256
from ecdbench.benchmark.results import RESULT, Result
from ecdbench.benchmark.task import SPLITS
from ecdbench.submissions.card import CARD, read_card
from ecdbench.submissions.entry import accepted_entries
from ecdbench.submissions.reference import References
from ecdbench.submissions.rescoring import changed_column
from ecdbench.submissions.verify import verify_all, verify_entry
from ecdbench.tasks.datasets import DATASETS, ecd_fcc
from ecdbench.tasks.datasets.folder import DatasetFolder, FolderDefinition

SAMPLE = ("k_vrh/mean", "k_vrh/pixel-ridge", "k_vrh/density-forest", "band_gap/mean", "k_vrh/knn-composition")


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
        hashed = {m: cell["bytes"] for m, cell in cells.items()} if kind == "image" else cells
        manifest["column_sha256"][name] = column_sha256(hashed)
        (self.folder / "manifest.json").write_text(json.dumps(manifest))

    def cells(self, name):
        return DatasetFolder(self.folder, "").read([name])[name]


@pytest.fixture
def copy(tmp_path, monkeypatch):
    found = Copy(shutil.copytree(ecd_fcc.PACKAGED, tmp_path / "ecd-fcc"))
    monkeypatch.setitem(DATASETS._loaded, "ecd-fcc", found.definition)
    return found


def refused():
    """Runs of the accepted entries on ecd-fcc that read something that is different now, and what it is."""
    references, found = References(), {}
    for file in sorted(accepted_entries().glob(f"ecd-fcc--*/*/*/{RESULT}")):
        result = Result.model_validate_json(file.read_bytes())
        changed = changed_column(result, references.get(result.task, result.split, result.protocol))
        if changed:
            found[file.parent.relative_to(accepted_entries()).as_posix()] = changed
    return found


def reading(condition):
    """Runs of the accepted entries on ecd-fcc that fulfil a condition on their card and record."""
    found = set()
    for file in sorted(accepted_entries().glob(f"ecd-fcc--*/*/*/{RESULT}")):
        if condition(read_card(file.parents[1] / CARD), Result.model_validate_json(file.read_bytes())):
            found.add(file.parent.relative_to(accepted_entries()).as_posix())
    return found


def verdicts():
    """What verifying some entries in full comes to."""
    folders = [accepted_entries() / f"ecd-fcc--{name}" for name in SAMPLE]
    return {name: verify_entry(folder, References()) for name, folder in zip(SAMPLE, folders, strict=True)}


def test_a_new_column_refuses_none(copy):
    ids = copy.cells("id")
    copy.write("hardness", "number", "property", dict.fromkeys(ids, 1.5), pa.float64())
    copy.write("toughness", "number", "target", dict.fromkeys(ids, 2.5), pa.float64())
    assert copy.cells("hardness")[next(iter(ids))] == 1.5
    found = list(verify_all([accepted_entries() / f"ecd-fcc--{name}" for name in ("k_vrh", "band_gap")], References()))
    assert len(found) > 40 and {verified.verdict for verified in found} == {"verified"}
    assert refused() == {}


def test_a_changed_target_refuses_the_entries_on_it(copy):
    values = copy.cells("k_vrh")
    copy.write("k_vrh", "number", "target", {m: v and v + (m == "mp-101") for m, v in values.items()}, pa.float64())
    found = refused()
    assert set(found) == reading(lambda card, result: result.target == "k_vrh") and set(found.values()) == {"k_vrh"}
    checked = verdicts()
    assert [name for name, verified in checked.items() if verified.verdict == "verified"] == ["band_gap/mean"]
    assert "was made on another version of the column k_vrh of ecd-fcc/k_vrh" in checked["k_vrh/mean"].refusal


def test_a_changed_image_refuses_the_entries_that_look_at_it(copy):
    images = copy.cells("image_total")
    swapped = dict(zip(images, [*list(images.values())[1:], next(iter(images.values()))], strict=True))
    struct = pa.struct({"bytes": pa.binary(), "path": pa.string()})
    copy.write("image_total", "image", "input", {m: {"bytes": b, "path": None} for m, b in swapped.items()}, struct)
    found = refused()
    assert set(found) == reading(lambda card, result: "image" in card.inputs and result.channel == "total")
    assert set(found.values()) == {"image_total"} and len(found) > 20
    checked = verdicts()
    assert [name for name, verified in checked.items() if verified.verdict == "refused"] == ["k_vrh/pixel-ridge"]


def test_a_changed_fold_refuses_the_cross_validations(copy):
    folds = copy.cells("fold_official")
    copy.write(
        "fold_official", "integer", "fold", {m: (fold + (m == "mp-101")) % 10 for m, fold in folds.items()}, pa.int64()
    )
    found = refused()
    known = {"fold_official"}
    # A task that does not have the row is as it was.
    has_row = {
        name
        for name, values in ((t.name, copy.cells(t.name)) for t in ecd_fcc.FACTS.targets)
        if values["mp-101"] is not None
    }
    assert set(found) == reading(lambda card, result: result.protocol == "cv" and result.target in has_row)
    assert set(found.values()) == known
