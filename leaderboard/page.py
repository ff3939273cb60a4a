"""The board as one self-contained HTML file."""

from __future__ import annotations

from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from ..benchmark.scoring import COVERAGE_THRESHOLD
from ..benchmark.task import revision_of
from ..tasks.catalogue import task_ids
from ..tasks.load import default_data_dir
from .board import Board, Section
from .facts import audit_of, facts_of
from .page_rows import STEPS, parity_places, row_view, widest_rmse
from .reported import reported, reported_tasks
from .statistics import ALPHA

_SITE = Path(__file__).parent / "site"


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
        made=f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        version=version("ecdbench"),
        style=(_SITE / "style.css").read_text(encoding="utf-8"),
        script=(_SITE / "script.js").read_text(encoding="utf-8"),
        threshold=COVERAGE_THRESHOLD,
        alpha=ALPHA,
    )


def _tasks(board: Board, data_dir: Path) -> list[dict[str, Any]]:
    """One page per task: its sections, and what the literature says; tasks with literature alone come last."""
    by_task: dict[str, list[Section]] = {}
    for section in board.sections:
        by_task.setdefault(section.task, []).append(section)
    order = {task: place for place, task in enumerate(task_ids())}
    names = sorted(by_task, key=lambda task: order.get(task, len(order)))
    names = [*names, *(task for task in reported_tasks() if task not in by_task)]
    return [_task(f"task-{n}", name, by_task.get(name, []), data_dir) for n, name in enumerate(names)]


def _task(identifier: str, name: str, sections: list[Section], data_dir: Path) -> dict[str, Any]:
    revision = revision_of(sections[0].rows[0].contestant.result.content_sha256) if sections else None
    return {
        "id": identifier,
        "name": name,
        "facts": facts_of(name, data_dir),
        "sections": [_section(section, f"{identifier}-{k}") for k, section in enumerate(sections)],
        "reported": reported(name),
        "audit": revision and audit_of(name, revision),
    }


def _section(section: Section, identifier: str) -> dict[str, Any]:
    widest = widest_rmse(section)
    rows = [row_view(row, f"{identifier}-{k}", widest) for k, row in enumerate(section.rows)]
    first = section.rows[0].contestant.run
    scored, ids = first.scored[first.main], first.ids[first.main]
    return {
        "id": identifier,
        "section": section,
        "rows": rows,
        "paid": any(row["took"]["dollars"] is not None for row in rows),
        "plots": {
            "unit": section.unit,
            "axis": [float(f"{end:.3g}") for end in (scored.target.min(), scored.target.max())],
            "ids": ids,
            "steps": STEPS,
            "targets": parity_places(scored, scored.target),
            "rows": {row["id"]: row["plots"] for row in rows},
        },
    }
