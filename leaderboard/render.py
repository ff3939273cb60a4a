"""The leaderboard as markdown, csv and json."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

from tabulate import tabulate

from ..benchmark.results import Usage
from ..benchmark.scoring import SCORE_NAMES, Score
from ..submissions.text import printable
from .board import Board, Row, Section
from .reported import reported

COLUMNS = (
    "#",
    "ranks",
    "group",
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
TERMINAL_COLUMNS = (
    "#",
    "ranks",
    "model",
    "looks at",
    "RMSE",
    "R2",
    "skill",
    "coverage",
    "seeds",
    *SERVICE_COLUMNS,
    "standing",
)
REPORTED_COLUMNS = ("reported, not recomputed", "R2", "RMSE", "split", "source")


def text_of(score: Score) -> str:
    """A score with its interval, as in `6.73 [5.72, 7.69]`."""
    if score.value is None:
        return "undefined"
    if score.low is None or score.high is None:
        return f"{score.value:.3g} [undefined]"
    return f"{score.value:.3g} [{score.low:.3g}, {score.high:.3g}]"


def columns_of(section: Section, columns: tuple[str, ...] = COLUMNS) -> tuple[str, ...]:
    """Those of `columns` that say something in a section."""
    asked = any(row.contestant.result.usage is not None for row in section.rows)
    return columns if asked else tuple(column for column in columns if column not in SERVICE_COLUMNS)


def cells(section: Section, columns: tuple[str, ...]) -> list[list[str]]:
    """The rows of a section as text, in the order of `columns`."""
    table = []
    for row in section.rows:
        named = dict(zip(COLUMNS, _values(row), strict=True))
        table.append([named[column] for column in columns])
    return table


def _values(row: Row) -> tuple[str, ...]:
    """Every column of a row."""
    one, rank = row.contestant, row.rank
    scores, spread = one.run.scores[one.run.main], one.run.scores[one.run.main].rmse.seed_std
    return (
        str(rank.place) if rank else "-",
        ranks_text(row),
        rank.group if rank else "",
        one.name,
        "not stated" if one.inputs is None else " + ".join(one.inputs) or "nothing",
        text_of(scores.rmse),
        text_of(scores.r2),
        text_of(scores.mae),
        text_of(scores.skill),
        text_of(scores.rmse_over_range),
        f"{scores.coverage:.0%}",
        f"{len(one.result.seeds)}" + (f", +-{spread:.2g}" if spread is not None else ""),
        str(scores.n),
        *_service_cells(one.result.usage),
        row.standing,
    )


def ranks_text(row: Row) -> str:
    """The ranks that are not ruled out, as in `1-4`."""
    if row.rank is None:
        return ""
    low, high = row.rank.low, row.rank.high
    return str(low) if low == high else f"{low}-{high}"


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
    return [[v.model, v.r2, f"{v.rmse} {v.unit}" if v.rmse else "", v.split, v.source] for v in reported(task)]


def to_markdown(board: Board) -> str:
    """The board as markdown tables."""
    blocks = []
    for section in board.sections:
        blocks += [
            f"### {section.title}",
            tabulate(_escaped(section), columns_of(section), tablefmt="github", disable_numparse=True),
        ]
        if section.reading:
            blocks.append(_plain(section.reading))
        if literature := reported_cells(section.task):
            blocks.append(tabulate(literature, REPORTED_COLUMNS, tablefmt="github", disable_numparse=True))
    blocks += [f"Left out: {_plain(reason)}" for reason in board.left_out]
    return "\n\n".join(blocks) + "\n"


def _escaped(section: Section) -> list[list[str]]:
    """Cells that keep a markdown table whole, whatever a model is called."""
    return [[_plain(cell) for cell in row] for row in cells(section, columns_of(section))]


def _plain(text: str) -> str:
    """A text on one line that is neither markup nor a link, a picture, or the end of a cell."""
    for sign, written in (("|", "\\|"), ("<", "&lt;"), ("](", "]\\("), ("![", "!\\["), ("`", "'")):
        text = text.replace(sign, written)
    return printable(text)


def records(board: Board) -> list[dict[str, Any]]:
    """The board as one flat record per row, numbers unrounded."""
    return [_record(section, row) for section in board.sections for row in section.rows]


def _record(section: Section, row: Row) -> dict[str, Any]:
    one, rank, card = row.contestant, row.rank, row.contestant.card
    result, scores = one.result, one.run.scores[one.run.main]
    record: dict[str, Any] = {
        "task": section.task,
        "unit": section.unit,
        "split": section.split,
        "protocol": section.protocol,
        "rank": rank and rank.place,
        "rank_low": rank and rank.low,
        "rank_high": rank and rank.high,
        "group": rank and rank.group,
        "p_first": rank and rank.p_first,
        "model": one.name,
        "version": card and card.version,
        "parameters": json.dumps(result.model.parameters),
        "inputs": None if one.inputs is None else " + ".join(one.inputs),
        "text": result.text,
        "channel": result.channel,
        "pretrained": one.pretrained,
        "exposure": card and card.pretraining.exposure,
        "random_weights": one.random_weights,
        "seeds": len(result.seeds),
        "n": scores.n,
        "coverage": scores.coverage,
        "standing": row.standing,
    }
    for name in SCORE_NAMES:
        score = getattr(scores, name)
        record |= {name: score.value, f"{name}_low": score.low, f"{name}_high": score.high}
        record[f"{name}_seed_std"] = score.seed_std
    for name in ("prompt_tokens", "completion_tokens", "cost", "seconds_median"):
        record[name] = getattr(result.usage, name, None)
    record["seconds_fit"] = sum(part.seconds_fit for part in result.parts)
    folder = one.run.run.folder
    return record | {
        "run": "/".join(folder.parts[-3:]) if card else str(folder)
    }  # an entry's place is the same everywhere


def to_csv(board: Board) -> str:
    """The board as csv."""
    rows = records(board)
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, rows[0] if rows else ["task"], lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: _cell(value) for name, value in row.items()} for row in rows)
    return buffer.getvalue()


def _cell(value: Any) -> Any:
    """A cell that a spreadsheet does not take for a formula."""
    return f"'{value}" if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r")) else value


def to_json(board: Board) -> str:
    """The board as json, with the runs left out and why."""
    return json.dumps({"rows": records(board), "left_out": board.left_out}, indent=1, allow_nan=False)
