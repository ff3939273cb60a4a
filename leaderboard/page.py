"""The board as one self-contained HTML file."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from ..benchmark.errors import EcdbenchError
from ..benchmark.inputs import looks_at
from ..benchmark.metrics import Metric, Sample, metrics_for
from ..benchmark.plots import as_svg, calibration, has_matplotlib
from ..benchmark.results import Curve
from ..benchmark.scoring import COVERAGE_THRESHOLD, Score
from ..benchmark.signflip import ALPHA
from ..benchmark.task import SPLITS, TaskData
from ..benchmark.user_folders import default_data_dir
from ..submissions.rescoring import LeaderboardEntry
from ..tasks.catalogue import find_task, load_task, task_ids
from .audit.report import Audit, packaged_audit
from .audit.targets import audit_targets
from .board import FIRST, TIED, WORSE, Board, Section, standing
from .curves import figures
from .formats import SUMMARY_COLUMNS, ranks_text, score_text, summary_cells
from .reported import reported, reported_tasks

_SITE = Path(__file__).parent / "site"
_EXPOSURE = {
    "possible": "pretrained on data that may hold these materials",
    "known": "saw rows of this benchmark before",
}
# The parity plot's axis in steps, about a pixel each: it is a figure, not a copy of the data.
STEPS = 250
_FARTHEST = 3 * STEPS  # of a prediction


def make_page(board: Board, data_dir: Path | None = None) -> str:
    """A page that works from disk: tables, plots and texts in one file, nothing fetched.

    Args:
        board: what to show.
        data_dir: where datasets that are not packaged are.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(_SITE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.policies["json.dumps_kwargs"] = {"separators": (",", ":"), "allow_nan": False}
    return environment.get_template("page.html.jinja").render(
        tasks=_tasks(board, data_dir or default_data_dir()),
        left_out=board.left_out,
        summaries=[(summary, summary_cells(summary)) for summary in board.summaries],
        summary_columns=SUMMARY_COLUMNS,
        made=f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        version=version("ecdbench"),
        style=(_SITE / "style.css").read_text(encoding="utf-8"),
        script=(_SITE / "script.js").read_text(encoding="utf-8"),
        threshold=COVERAGE_THRESHOLD,
        alpha=ALPHA,
        flips=_flips(board),
        tied=TIED,
    )


def _flips(board: Board) -> str:
    """How many sign flips the tables are from, in words."""
    made = sorted({section.ranking.flips for section in board.sections if len(section.ranking.ranks) > 1})
    return "none here" if not made else f"here {made[0]:,}" + (f" to {made[-1]:,}" if len(made) > 1 else "")


def brief(value: float) -> str:
    """A measured number to two digits, without an exponent where it needs none."""
    return f"{float(f'{value:.2g}'):,.6g}" if 1e-4 <= abs(value) < 1e6 else f"{value:.2g}"


def _tasks(board: Board, data_dir: Path) -> list[dict[str, Any]]:
    """One page per task: its sections, and what the literature says; tasks with literature alone come last."""
    by_task: dict[str, list[Section]] = {}
    for section in board.sections:
        by_task.setdefault(section.task, []).append(section)
    order = {task: position for position, task in enumerate(task_ids())}
    names = sorted(by_task, key=lambda task: order.get(task, len(order)))
    names = [*names, *(task for task in reported_tasks() if task not in by_task)]
    return [_task(f"task-{n}", name, by_task.get(name, []), data_dir) for n, name in enumerate(names)]


def _task(identifier: str, name: str, sections: list[Section], data_dir: Path) -> dict[str, Any]:
    audit: Audit | None = packaged_audit(sections[0].reference.data) if sections else None
    return {
        "id": identifier,
        "name": name,
        "facts": _facts(sections[0].reference.data.task.source if sections else name, data_dir),
        "sections": [_section(section, f"{identifier}-{k}") for k, section in enumerate(sections)],
        "reported": reported(name),
        "audit": audit,
    }


def _facts(task: str, data_dir: Path) -> list[tuple[str, str]]:
    """What readers should know of a task's data, as names and texts; fewer where the data are not here."""
    found = find_task(task, offline=True)
    facts, target = found.dataset.facts, found.target
    unit = f" ({target.unit})" if target.unit else ""
    first = [("dataset", facts.title), ("target", f"{target.description}{unit}")]
    last = [("provenance", facts.provenance), ("license", facts.license), ("to cite", facts.citation)]
    try:
        data = load_task(task, data_dir=data_dir, offline=True)
    except EcdbenchError:
        return first + last
    return [*first, *_facts_of_rows(data, facts.group), *last]


def _facts_of_rows(data: TaskData, group: str) -> Iterator[tuple[str, str]]:
    counts = ", ".join(f"{split} {len(data.splits[split])}" for split in SPLITS)
    targets, found = data.targets(data.ids), audit_targets(data)
    yield "rows", f"{counts}; {len(set(data.groups.values()))} groups ({group})"
    if data.task.target.kind == "classification":
        yield "targets", f"{targets.mean():.0%} of the rows are positive"
        return
    span = f"{targets.min():.4g} to {targets.max():.4g}"
    yield "targets", f"{span}, mean {targets.mean():.4g}, std {targets.std():.4g}"
    if found.commonest_share > 0.05:
        yield "same value", f"{found.commonest_share:.0%} of the rows have the target {found.commonest:.4g}"


def _section(section: Section, identifier: str) -> dict[str, Any]:
    metrics = list(section.metrics.values())
    axes = {metric.name: _axis(section, metric) for metric in metrics[:2]}
    rows = [_row(entry, f"{identifier}-{k}", metrics, axes) for k, entry in enumerate(section.rows)]
    first = section.rows[0]
    binary = first.sample.kind == "classification"
    return {
        "id": identifier,
        "section": section,
        "metrics": metrics,
        "ordinate": _ordinate(metrics),
        "rows": rows,
        "figures": _figures(section),
        "stated": _stated(section),
        "paid": any(row["took"]["dollars"] is not None for row in rows),
        "plots": {
            "unit": section.unit,
            "binary": binary,
            "axis": [0, 1]
            if binary
            else [float(f"{end:.3g}") for end in (first.sample.target.min(), first.sample.target.max())],
            "ids": first.ids,
            "steps": STEPS,
            "targets": [] if binary else _positions(first.sample, first.sample.target),
            "rows": {row["id"]: row["plots"] for row in rows},
        },
    }


def _stated(section: Section) -> dict[str, Any] | None:
    """How good the stated deviations are, of the rows that state some."""
    kind = section.reference.data.task.target.kind
    metrics = [metric for metric in metrics_for(kind, deviations=True).values() if metric.needs_deviation]
    stating = [entry for entry in section.rows if any(metric.name in entry.score.metrics for metric in metrics)]
    if not stating:
        return None
    rows = [(entry.name, [score_text(entry.score[metric.name]) for metric in metrics]) for entry in stating]
    return {"metrics": metrics, "rows": rows}


def _figures(section: Section) -> list[tuple[str, str]]:
    """Captions, and figures as addresses of their data; none where matplotlib is not installed."""
    if not has_matplotlib():
        return []
    return [
        (caption, f"data:image/svg+xml;base64,{base64.b64encode(as_svg(figure)).decode()}")
        for caption, figure in figures(section)
    ]


def _ordinate(metrics: list[Metric]) -> Metric:
    """The metric that is plotted against cost: one without a unit where higher is better, skill where there is one."""
    rising = [metric for metric in metrics if metric.direction == "higher" and not metric.unit]
    return next((metric for metric in rising if metric.name == "skill"), (rising or metrics)[0])


def _row(
    entry: LeaderboardEntry, identifier: str, metrics: list[Metric], axes: dict[str, tuple[float, float]]
) -> dict[str, Any]:
    """Everything the template shows of a row."""
    took = _took(entry)
    return {
        "id": identifier,
        "entry": entry,
        "card": entry.card,
        "result": entry.result,
        "notes": _bounded(entry.result.notes, 10, 400),
        "parameters": _bounded([f"{name}={value}" for name, value in entry.result.model.parameters.items()], 20, 100),
        "services": _bounded(entry.usage.models if entry.usage else [], 5, 80),
        "usage": entry.usage,
        "standing": standing(entry),
        "word": {FIRST: FIRST, TIED: TIED, WORSE: "worse"}.get(standing(entry), standing(entry)),
        "ranks": ranks_text(entry),
        "inputs": looks_at(entry.inputs),
        "badges": _badges(entry),
        "bars": {name: _bar(entry.score[name], *axis) for name, axis in axes.items()},
        "scores": {metric.name: entry.score[metric.name] for metric in metrics},
        "texts": {metric.name: score_text(entry.score[metric.name]) for metric in metrics},
        "coverage": entry.score.coverage,
        "took": took,
        "took_texts": {name: "" if value is None else brief(value) for name, value in took.items()},
        "plots": _plots(entry),
    }


def _bounded(texts: Sequence[str], most: int, longest: int) -> list[str]:
    """The first texts, each up to a length, and how many are left out: no entry makes the page large."""
    shown = [text if len(text) <= longest else f"{text[:longest]}…" for text in texts[:most]]
    return [*shown, f"and {len(texts) - most:,} more in result.json"] if len(texts) > most else shown


def _badges(entry: LeaderboardEntry) -> list[tuple[str, str, str]]:
    """Kind, word and explanation of what readers must not overlook."""
    found = []
    coverage = entry.score.coverage
    if entry.card is None:
        found.append(("own", "own run", "a run of this machine, without a card"))
    if entry.has_random_weights:
        found.append(("random", "random weights", "the network was not pretrained, where it usually is"))
    if coverage < 1:
        found.append(("coverage", f"{coverage:.0%} answered", "failed predictions are scored as the training mean"))
    exposure = entry.card.pretraining.exposure if entry.card else None
    if exposure in _EXPOSURE:
        found.append(("exposure", f"exposure {exposure}", _EXPOSURE[exposure]))
    if entry.twin:
        found.append(("look", f"as {entry.twin}", "its predictions are the same, within 1 % of its error"))
    if entry.suspicions:
        found.append(("look", "flagged for review", "; ".join(entry.suspicions)))
    return found


def _axis(section: Section, metric: Metric) -> tuple[float, float]:
    """The ends of a metric's axis: for errors, zero and what the worst of the usual rows reaches."""
    if metric.direction == "higher":
        return (-0.2, 1.0)
    ends = []
    for entry in section.rows:
        error, skill = entry.score[metric.name], entry.score.metrics.get("skill")
        if error.high is not None and (skill is None or (skill.value is not None and skill.value > -0.5)):
            ends.append(error.high)
    return 0.0, max(ends, default=1.0) or 1.0


def _bar(score: Score, low: float, high: float) -> dict[str, float] | None:
    """Where an interval lies on an axis, in percent of its width."""
    if score.value is None or score.low is None or score.high is None or not low <= score.value <= high:
        return None  # off the axis: the numbers say it
    left, right, middle = (100 * min(max((x - low) / (high - low), 0), 1) for x in (score.low, score.high, score.value))
    return {"left": round(left, 1), "width": round(max(right - left, 0.5), 1), "value": round(middle, 1)}


def _took(entry: LeaderboardEntry) -> dict[str, float | None]:
    """Seconds of training, seconds per prediction, dollars per thousand predictions; None where unknown."""
    fits, usage = entry.result.fits, entry.usage
    predictions = sum(sample.prediction.size for sample in entry.samples.values())
    per_prediction = sum(fit.seconds_predict for fit in fits) / max(predictions, 1)
    cost = usage.cost if usage else None
    return {
        "training": sum(fit.seconds_fit for fit in fits),
        "latency": usage.seconds_median if usage else max(per_prediction, 1e-6),
        "dollars": None if cost is None or usage is None else 1000 * cost / max(usage.answers, 1),
    }


def _positions(sample: Sample, values: np.ndarray) -> list[int]:
    """Where values, shape (n,), lie on the axis of a parity plot, which the targets span, in steps from its start."""
    low = sample.target.min()
    positions = STEPS * (values - low) / (np.ptp(sample.target) or 1.0)
    return positions.clip(-_FARTHEST, _FARTHEST).round().astype(int).tolist()


def _drawn(curve: Curve) -> dict[str, Any]:
    """A learning curve with as many digits as can be seen."""
    errors = {
        name: [None if error is None else float(f"{error:.4g}") for error in getattr(curve, name)]
        for name in ("train", "validation")
    }
    return curve.model_dump() | errors


def _plots(entry: LeaderboardEntry) -> dict[str, Any]:
    """What the row's parity plot (or calibration plot) and learning curves draw."""
    prediction = entry.sample.prediction.mean(axis=0)
    drawn: dict[str, Any] = (
        {"calibration": [[round(x, 3) for x in ends] for ends in calibration(entry.sample.target, prediction)]}
        if entry.sample.kind == "classification"
        else {"parity": _positions(entry.sample, prediction)}
    )
    if entry.curves:
        drawn["curves"] = [_drawn(curve) for curve in entry.curves.curves]
    return drawn
