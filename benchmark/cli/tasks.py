"""`ecdbench tasks`."""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path
from typing import Any

from ...tasks.catalogue import dataset_module, get_task, task_ids
from ...tasks.load import default_data_dir
from .output import print_table, say


def _facts(task_id: str, data_dir: Path) -> dict[str, Any]:
    task = get_task(task_id)
    module = dataset_module(task.dataset)
    facts, statistics = module.FACTS, module.manifest()["targets"][task.target.name]
    return {
        "task": task.id,
        "dataset": f"{facts.title} ({facts.id})",
        "target": f"{task.target.name}: {task.target.description}",
        "unit": task.target.unit,
        "rows": statistics["rows"],
        "target_statistics": {k: v for k, v in statistics.items() if k != "rows"},
        "channels": list(task.channels),
        "text_tiers": ["none", *task.text_tiers],
        "splits": list(task.schemes),
        "grouped_by": facts.group,
        "main_metric": task.main_metric,
        "data": module.presence(data_dir),
        "provenance": facts.provenance,
        "license": task.license,
        "citation": task.citation,
        "revision": task.revision,
        "content_sha256": dict(task.content_sha256),
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
            sum(f["rows"].values()),
            " / ".join(map(str, f["rows"].values())),
            ", ".join(f["splits"]),
            f["data"],
        ]
        for f in everything
    ]
    caption = "`ecdbench tasks show TASK` tells more; `ecdbench fetch sfe` downloads sfe."
    print_table(["task", "unit", "rows", "train / validation / holdout", "splits", "data"], rows, caption=caption)


def show_task(task: str, data_dir: Path | None, as_json: bool) -> None:
    """Print everything about a task."""
    facts = _facts(task, data_dir or default_data_dir())
    if as_json:
        say(json.dumps(facts, indent=1))
        return
    print_table(["", ""], [[name.replace("_", " "), _flat(value)] for name, value in facts.items()], title=task)
    if facts["target_statistics"]["share_of_zeros"] > 0.5:
        say("Most values are zero: R2 is dominated by a few rows and can be undefined; read MAE and skill beside it.")


def _flat(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{k} {v:.4g}" if isinstance(v, float) else f"{k} {v}" for k, v in value.items())
    return ", ".join(value) if isinstance(value, list) else str(value)


def print_rows(task: str, data_dir: Path | None) -> None:
    """Print the rows as csv."""
    dataset = dataset_module(get_task(task).dataset).open_dataset(data_dir or default_data_dir())
    table = dataset.table()
    for scheme in get_task(task).schemes:
        split, fold = dataset.split_of(scheme), dataset.fold_of(scheme)
        for row in table:
            row |= {f"split_{scheme}": split[row["id"]], f"fold_{scheme}": fold[row["id"]]}
    writer = csv.DictWriter(sys.stdout, list(table[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(table)
