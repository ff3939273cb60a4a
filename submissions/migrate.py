"""Bring entries of schema 1 to schema 2: `python -m ecdbench.submissions.migrate [ENTRIES]`.

Schema 1 pinned a hash of every column of the dataset together; schema 2 pins the columns that a run reads, each by its
own hash. The script first computes the old hash of the data that are here, over the columns that the dataset had then:
only where it is the one that an entry pins are the new pins of those data the pins of that entry. Predictions are not
touched, and claimed scores keep their digits.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from ..benchmark.columns import cell_bytes
from ..benchmark.errors import DataError, EcdbenchError
from ..benchmark.inputs import InputOptions
from ..benchmark.results import RESULT
from ..benchmark.storage import write_text
from ..benchmark.task import SPLITS, TaskData
from ..tasks.catalogue import load_task
from .card import CARD, read_card
from .entry import accepted_entries
from .reference import Reference, References

# Columns that were added after schema 1.
_NEW_COLUMNS = {"ecd-fcc": {"is_metal"}}


def migrate(entries: Path) -> int:
    """Rewrite the records of schema 1 under `entries`, all of them or none; how many there were.

    Raises:
        DataError: there are no entries, or one cannot be read or was made on other data than those that are here.
    """
    files = sorted(entries.glob(f"*/*/*/{RESULT}"))
    if not files:
        raise DataError(f"There are no entries in {entries}; give a folder like submissions/entries.")
    references, written = References(), {}
    for file in files:
        try:
            record = json.loads(file.read_text(encoding="utf-8"))
            if record["schema_version"] == 1:
                card = read_card(file.parents[1] / CARD)
                reference = references.get(record["task"], record["split"], record["protocol"])
                if record["content_sha256"] != old_content(record["task"]):
                    raise DataError(f"{file} was made on other data than those that are here; restore them.")
                written[file] = json.dumps(_migrated(record, card.inputs, reference), indent=1) + "\n"
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise DataError(
                f"{file} is not a record of version 0.1 ({type(error).__name__}: {error}); remove it, or restore it."
            ) from error
    for file, text in written.items():
        write_text(file, text)
    return len(written)


def _migrated(record: Mapping[str, Any], inputs: list[str], reference: Reference) -> dict[str, Any]:
    data, target = reference.data, reference.data.task.target
    options = InputOptions(record["text"], record["channel"], data.options.scheme)
    renamed = {"content_sha256": "columns", "parts": "fits"}
    new = {renamed.get(name, name): value for name, value in record.items()}
    new |= {
        "schema_version": 2,
        "columns": data.under(options).pins(inputs, reference.protocol.reads_folds),
        "scores": {split: _scores(scores) for split, scores in record["scores"].items()},
    }
    position = list(new).index("unit") + 1
    items = list(new.items())
    return dict([*items[:position], ("kind", target.kind), ("metric", target.main_metric), *items[position:]])


def _scores(scores: Mapping[str, Any]) -> dict[str, Any]:
    plain = ("n", "clusters", "coverage")
    metrics = {name: {**score, "low": None, "high": None} for name, score in scores.items() if name not in plain}
    return {**{name: scores[name] for name in plain}, "metrics": metrics}


@cache
def old_content(task: str) -> dict[str, str]:
    """The content hashes of schema 1, by split."""
    data = load_task(task)
    return _old_sfe(data) if data.task.dataset == "sfe" else _old_folder(data)


def _old_folder(data: TaskData) -> dict[str, str]:
    names = [name for name in data.dataset.columns if name not in _NEW_COLUMNS.get(data.task.dataset, ())]
    rows = data.dataset.rows(names)
    split_of = data.dataset.read(["split_official"])["split_official"]
    return {split: _old_hash([rows[m] for m in rows if split_of[m] == split]) for split in SPLITS}


def _old_sfe(data: TaskData) -> dict[str, str]:
    names = {"id": "id", "target": data.task.target.name, "image": "image_total", "formula": "formula"}
    cells = data.dataset.read(names.values())
    rows = {m: {old: cells[new][m] for old, new in names.items()} for m in data.ids}
    return {split: _old_hash([rows[m] for m in data.splits[split]]) for split in SPLITS}


def _old_hash(rows: list[Mapping[str, Any]]) -> str:
    return hashlib.sha256(repr(sorted((str(row["id"]), _old_row(row)) for row in rows)).encode()).hexdigest()


def _old_row(row: Mapping[str, Any]) -> str:
    digest = hashlib.sha256()
    for name in sorted(row):
        digest.update(f"\0{name}\0".encode())
        digest.update(cell_bytes(row[name]))
    return digest.hexdigest()


if __name__ == "__main__":
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else accepted_entries()
    try:
        sys.stdout.write(f"{migrate(folder)} records migrated\n")
    except EcdbenchError as error:
        sys.exit(f"Error: {error}")
