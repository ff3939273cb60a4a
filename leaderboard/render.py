"""The leaderboard as markdown, csv and json."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

from tabulate import tabulate

from ..benchmark.results import Usage
from .board import Board, Section, label, reported, text_of

COLUMNS = (
    "#",
    "model",
    "looks at",
    "RMSE",
    "R2",
    "MAE",
    "skill",
    "RMSE/range",
    "coverage",
    "seeds",
    "n",
    "tokens",
    "cost",
    "latency (s)",
    "standing",
)
# What models behind a service took; left out where there are none.
SERVICE_COLUMNS = ("tokens", "cost", "latency (s)")
# What fits a terminal; the other formats have everything.
TERMINAL_COLUMNS = ("#", "model", "looks at", "RMSE", "R2", "skill", "coverage", "seeds", *SERVICE_COLUMNS, "standing")
REPORTED_COLUMNS = ("reported, not recomputed", "R2", "RMSE", "split", "source")


def columns_of(section: Section, columns: tuple[str, ...] = COLUMNS) -> tuple[str, ...]:
    """Those of `columns` that say something in a section."""
    asked = any(row.run.run.result.usage is not None for row in section.rows)
    return columns if asked else tuple(column for column in columns if column not in SERVICE_COLUMNS)


def cells(section: Section, columns: tuple[str, ...]) -> list[list[str]]:
    """The rows of a section as text, in the order of `columns`."""
    table = []
    for row in section.rows:
        result, scores = row.run.run.result, row.run.scores[row.run.main]
        inputs = result.model.inputs
        values = (
            "-" if row.rank is None else str(row.rank),
            label(result),
            "not stated" if inputs is None else " + ".join(inputs) or "nothing",
            text_of(scores.rmse),
            text_of(scores.r2),
            text_of(scores.mae),
            text_of(scores.skill),
            text_of(scores.rmse_over_range),
            f"{scores.coverage:.0%}",
            str(len(result.seeds)),
            str(scores.n),
            *_service_cells(result.usage),
            row.standing,
        )
        named = dict(zip(COLUMNS, values, strict=True))
        table.append([named[column] for column in columns])
    return table


def _service_cells(usage: Usage | None) -> tuple[str, str, str]:
    """Tokens in and out, dollars, and the median seconds of an answer."""
    if usage is None:
        return "", "", ""
    sent, received = usage.prompt_tokens, usage.completion_tokens
    tokens = "unknown" if sent is None or received is None else f"{sent:,} + {received:,}"
    cost = "unknown" if usage.cost is None else f"${usage.cost:.4f}"
    return tokens, cost, "unknown" if usage.seconds_median is None else f"{usage.seconds_median:.2g}"


def reported_cells(task: str) -> list[list[str]]:
    """Literature values of a task as text, in the order of `REPORTED_COLUMNS`."""
    return [[str(entry[name]) for name in ("model", "r2", "rmse", "split", "source")] for entry in reported(task)]


def to_markdown(board: Board) -> str:
    """The board as markdown tables."""
    blocks = []
    for section in board.sections:
        blocks += [
            f"### {section.title}",
            tabulate(_escaped(section), columns_of(section), tablefmt="github", disable_numparse=True),
        ]
        if section.reading:
            blocks.append(section.reading)
        if literature := reported_cells(section.task):
            blocks.append(tabulate(literature, REPORTED_COLUMNS, tablefmt="github", disable_numparse=True))
    blocks += [f"Left out: {reason}" for reason in board.left_out]
    return "\n\n".join(blocks) + "\n"


def _escaped(section: Section) -> list[list[str]]:
    """Cells that keep a markdown table whole, whatever a model is called."""
    table = cells(section, columns_of(section))
    return [[" ".join(cell.split()).replace("|", "\\|") for cell in row] for row in table]


def records(board: Board) -> list[dict[str, Any]]:
    """The board as one flat record per row, numbers unrounded."""
    table = []
    for section in board.sections:
        for row in section.rows:
            result, scores = row.run.run.result, row.run.scores[row.run.main]
            record: dict[str, Any] = {
                "task": section.task,
                "unit": section.unit,
                "split": section.split,
                "protocol": section.protocol,
                "rank": row.rank,
                "model": result.model.name,
                "parameters": json.dumps(result.model.parameters),
                "text": result.text,
                "channel": result.channel,
                "seeds": len(result.seeds),
                "n": scores.n,
                "coverage": scores.coverage,
                "standing": row.standing,
            }
            for name in ("rmse", "r2", "mae", "skill", "rmse_over_range"):
                score = getattr(scores, name)
                record |= {name: score.value, f"{name}_low": score.low, f"{name}_high": score.high}
                record[f"{name}_seed_std"] = score.seed_std
            for name in ("prompt_tokens", "completion_tokens", "cost", "seconds_median"):
                record[name] = getattr(result.usage, name, None)
            table.append(record | {"run": str(row.run.run.folder)})
    return table


def to_csv(board: Board) -> str:
    """The board as csv."""
    rows = records(board)
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, rows[0] if rows else ["task"], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return buffer.getvalue()


def to_json(board: Board) -> str:
    """The board as json, with the runs left out and why."""
    return json.dumps({"rows": records(board), "left_out": board.left_out}, indent=1)
