"""The commands that look at tasks and get their data: tasks, audit, fetch."""

from __future__ import annotations

import csv
import json as json_format
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .options import DataDir, Json, Quiet

if TYPE_CHECKING:
    from ..leaderboard.audit.report import Audit

commands = typer.Typer(rich_markup_mode=None)
tasks_app = typer.Typer(
    invoke_without_command=True,
    rich_markup_mode=None,
    help="List the tasks; `tasks show ID` tells everything about one.",
)
commands.add_typer(tasks_app, name="tasks")


@tasks_app.callback()
def tasks(context: typer.Context, data_dir: DataDir = None, json: Json = False) -> None:
    """List the tasks with sizes, units and whether the data are here."""
    if context.invoked_subcommand is not None:
        return
    from ..tasks.catalogue import task_ids
    from .output import print_table, say

    everything = [_facts(task, data_dir) for task in task_ids()]
    if json:
        say(json_format.dumps(everything, indent=1))
        return
    rows = [
        [
            f["task"],
            f["unit"] if f["kind"] == "regression" else "binary",
            sum(f["rows"].values()) if f["rows"] else "",
            " / ".join(map(str, f["rows"].values())) if f["rows"] else "",
            ", ".join(f["splits"]),
            f["data"],
        ]
        for f in everything
    ]
    caption = (
        "`ecdbench tasks show TASK` tells more; `ecdbench fetch DATASET` downloads one; `ecdbench build mp-fcc` "
        "builds mp-fcc. A TASK may also be FOLDER/TARGET, or ORG/NAME@COMMIT/TARGET on the Hugging Face Hub."
    )
    print_table(["task", "unit", "rows", "train / validation / holdout", "splits", "data"], rows, caption=caption)


@tasks_app.command("show", epilog="Example: ecdbench tasks show ecd-fcc/k_vrh")
def tasks_show(task: str, data_dir: DataDir = None, json: Json = False) -> None:
    """Everything about a task: splits, inputs, target statistics, provenance, license, citation."""
    from .output import print_table, say

    facts = _facts(task, data_dir)
    if json:
        say(json_format.dumps(facts, indent=1))
        return
    print_table(["", ""], [[name.replace("_", " "), _flat(value)] for name, value in facts.items()], title=task)
    if facts["kind"] == "regression" and (facts["target_statistics"].get("share_of_zeros") or 0) > 0.5:
        say("Most values are zero: R2 is dominated by a few rows and can be undefined; read MAE and skill beside it.")


@tasks_app.command("rows", epilog="Example: ecdbench tasks rows sfe > rows.csv")
def tasks_rows(task: str, data_dir: DataDir = None) -> None:
    """The rows of a task, those that have its target, as csv: id, formula, group, splits and folds; no targets."""
    from ..benchmark.user_folders import default_data_dir
    from ..tasks.catalogue import find_task, load_task

    found = find_task(task)
    dataset = found.dataset
    columns = [
        column.name
        for column in dataset.facts.columns
        if column.role in ("id", "group", "split", "fold")
        or (column.role == "input" and _is_short(column.name) and not found.release)  # releases keep no inputs
    ]
    cells = dataset.open(data_dir or default_data_dir()).read(columns)
    of_task = load_task(task, data_dir=data_dir).groups
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([cells[name][m] for name in columns] for m in cells[columns[0]] if m in of_task)


@commands.command(epilog="Examples: ecdbench audit sfe   |   ecdbench audit ecd-fcc/k_vrh --json > audit.json")
def audit(
    task: Annotated[str, typer.Argument(help="As for evaluate.")],
    data_dir: DataDir = None,
    out: Annotated[Path | None, typer.Option(help="Also write the report as json to this file.")] = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Is a task's split fair? Duplicates across splits, shared compositions, targets that say little, trivial models.

    Models are fitted (a minute or so); an interrupted audit continues where it stopped.
    """
    from ..benchmark.storage import write_text
    from ..benchmark.user_folders import default_cache
    from ..leaderboard.audit.report import audit_task
    from .output import progress_bars, say, shown

    with progress_bars(quiet or json) as (progress, _):
        found = audit_task(task, data_dir, default_cache().absolute(), progress)
    text = found.model_dump_json(indent=1)
    if out is not None:
        write_text(out, text + "\n")
    if json:
        say(text)
        return
    _print_audit(found)
    if out is not None:
        say(f"Report: {shown(out.resolve())}")


@commands.command(epilog="Examples: ecdbench fetch sfe   |   ecdbench fetch mp-fcc-authors")
def fetch(
    dataset: Annotated[
        str,
        typer.Argument(
            help="Dataset to download: sfe, or mp-fcc-authors (whose files serve mp-fcc-authors-text, too)."
        ),
    ],
    data_dir: DataDir = None,
    quiet: Quiet = False,
) -> None:
    """Download a dataset that is not packaged; each file is checked, an interrupt loses at most one."""
    from ..benchmark.errors import EcdbenchError, unknown_name
    from ..benchmark.user_folders import default_data_dir
    from ..tasks.datasets import DATASETS, Downloadable
    from .output import progress_bars, say

    found = {name: one for name, one in DATASETS.all().items() if isinstance(one, Downloadable)}
    if dataset not in found:
        remedy = f"Only {', '.join(found)} can be downloaded; ecd-fcc is packaged, mp-fcc is built."
        raise EcdbenchError(unknown_name("dataset to download", dataset, found, remedy))
    with progress_bars(quiet) as (progress, _):
        folder = found[dataset].fetch(
            data_dir or default_data_dir(), lambda done, total: progress(done, total, "files")
        )
    say(str(folder))


def _facts(reference: str, data_dir: Path | None) -> dict[str, Any]:
    """Everything about a task, as plain values."""
    from ..benchmark.inputs import InputOptions, offered_inputs
    from ..benchmark.user_folders import default_data_dir
    from ..tasks.catalogue import find_task

    data_dir = data_dir or default_data_dir()
    found = find_task(reference)
    facts, target, manifest = found.dataset.facts, found.target, found.dataset.manifest(data_dir)
    statistics = manifest["targets"][target.name] if manifest else {"rows": None}
    options = InputOptions(facts.text_tiers[0] if facts.text_tiers else "none", facts.channels[0])
    return {
        "task": found.id,
        "dataset": f"{facts.title} ({facts.id})",
        "target": f"{target.name}: {target.description}",
        "kind": target.kind,
        "unit": target.unit,
        "rows": statistics["rows"],
        "target_statistics": {k: v for k, v in statistics.items() if k != "rows"},
        "inputs": [] if found.release else list(offered_inputs(facts.named("input"), options)),
        "channels": list(facts.channels),
        "text_tiers": ["none", *facts.text_tiers],
        "splits": list(facts.schemes),
        "grouped_by": facts.group,
        "main_metric": target.main_metric,
        "data": found.dataset.presence(data_dir),
        "provenance": facts.provenance,
        "license": facts.license,
        "citation": facts.citation,
        "column_sha256": dict(manifest["column_sha256"]) if manifest else None,
    }


def _is_short(name: str) -> bool:
    """Whether a column is an input that fits a table, such as the formula."""
    from ..benchmark.inputs import INPUTS

    return name in INPUTS and not INPUTS.get(name).is_large


def _flat(value: Any) -> str:
    if value is None or value == {}:
        return "known when the dataset is built"
    if isinstance(value, dict):
        return ", ".join(f"{k} {v:.4g}" if isinstance(v, float) else f"{k} {str(v)[:12]}" for k, v in value.items())
    return ", ".join(value) if isinstance(value, list) else str(value)


def _print_audit(found: Audit) -> None:
    from ..benchmark.metrics import METRICS
    from ..leaderboard.formats import score_text
    from .output import print_table, say, warn

    say(f"{found.task}: " + ", ".join(f"{split} {count}" for split, count in found.rows.items()))
    for finding in found.findings:
        say(f"  - {finding}")
    if found.images and found.images.pairs:
        print_table(
            ["image", "and", "splits", "hash bits", "pixels apart", "targets apart"],
            [
                [p.first, p.second, " / ".join(p.splits), p.bits, f"{p.pixels:.2%}", f"{p.target_gap:.1%}"]
                for p in found.images.pairs
            ],
            title="Closest images across splits",
            caption="pixels: root mean square difference, share of the full scale; targets: share of the range",
        )
    metrics = [METRICS.get(name) for name in dict.fromkeys((found.metric, *_first_metrics(found)))][:2]
    print_table(
        ["model", "split", "protocol", "n", *(metric.heading(found.unit) for metric in metrics)],
        [
            [b.model, b.scheme, b.protocol, b.scores.n, *(score_text(b.scores[metric.name]) for metric in metrics)]
            for b in found.baselines
        ],
        title="Scores of trivial baselines",
        caption="[low, high]: 95 % bootstrap over samples, whole groups at a time.",
    )
    for failure in found.failures:
        warn(f"Not evaluated: {failure}")


def _first_metrics(found: Audit) -> list[str]:
    return list(found.baselines[0].scores.metrics) if found.baselines else []
