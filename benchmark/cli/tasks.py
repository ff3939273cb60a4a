"""`ecdbench tasks`."""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path
from typing import Any

from ...tasks.catalogue import find_task, task_id, task_ids
from ...tasks.load import default_data_dir
from ..task import Task, revision_of
from .output import print_table, say


def _facts(reference: str, data_dir: Path) -> dict[str, Any]:
    place = find_task(reference)
    facts, manifest = place.dataset.FACTS, place.dataset.manifest(data_dir)
    statistics = manifest["targets"][place.target.name] if manifest else {"rows": None}
    return {
        "task": task_id(place.dataset, place.target),
        "dataset": f"{facts.title} ({facts.id})",
        "target": f"{place.target.name}: {place.target.description}",
        "unit": place.target.unit,
        "rows": statistics["rows"],
        "target_statistics": {k: v for k, v in statistics.items() if k != "rows"},
        "channels": list(facts.channels),
        "text_tiers": ["none", *facts.text_tiers],
        "splits": list(facts.schemes),
        "grouped_by": facts.group,
        "main_metric": Task.main_metric,
        "data": place.dataset.presence(data_dir),
        "provenance": facts.provenance,
        "license": facts.license,
        "citation": facts.citation,
        "revision": revision_of(manifest["content_sha256"]) if manifest else None,
        "content_sha256": manifest["content_sha256"] if manifest else None,
    }


def list_tasks(data_dir: Path | None, as_json: bool) -> None:
    """Print the list of tasks."""
    everything = [_facts(task, data_dir or default_data_dir()) for task in task_ids()]
    if as_json:
        say(json.dumps(everything, indent=1))
        return
    rows = [
        [
            f["task"],
            f["unit"],
            sum(f["rows"].values()) if f["rows"] else "",
            " / ".join(map(str, f["rows"].values())) if f["rows"] else "",
            ", ".join(f["splits"]),
            f["data"],
        ]
        for f in everything
    ]
    caption = (
        "`ecdbench tasks show TASK` tells more; `ecdbench fetch sfe` downloads sfe; `ecdbench build mp-fcc` builds "
        "mp-fcc. A TASK may also be FOLDER/TARGET, or ORG/NAME@COMMIT/TARGET on the Hugging Face Hub."
    )
    print_table(["task", "unit", "rows", "train / validation / holdout", "splits", "data"], rows, caption=caption)


def show_task(task: str, data_dir: Path | None, as_json: bool) -> None:
    """Print everything about a task."""
    facts = _facts(task, data_dir or default_data_dir())
    if as_json:
        say(json.dumps(facts, indent=1))
        return
    print_table(["", ""], [[name.replace("_", " "), _flat(value)] for name, value in facts.items()], title=task)
    if (facts["target_statistics"].get("share_of_zeros") or 0) > 0.5:
        say("Most values are zero: R2 is dominated by a few rows and can be undefined; read MAE and skill beside it.")


def _flat(value: Any) -> str:
    if value is None or value == {}:
        return "known when the dataset is built"
    if isinstance(value, dict):
        return ", ".join(f"{k} {v:.4g}" if isinstance(v, float) else f"{k} {v}" for k, v in value.items())
    return ", ".join(value) if isinstance(value, list) else str(value)


def print_rows(task: str, data_dir: Path | None) -> None:
    """Print the rows as csv."""
    place = find_task(task)
    dataset = place.dataset.open_dataset(data_dir or default_data_dir())
    table = dataset.table()
    for scheme in place.dataset.FACTS.schemes:
        split, fold = dataset.split_of(scheme), dataset.fold_of(scheme)
        for row in table:
            row |= {f"split_{scheme}": split[row["id"]], f"fold_{scheme}": fold[row["id"]]}
    writer = csv.DictWriter(sys.stdout, list(table[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(table)
