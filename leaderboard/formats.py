"""The leaderboard as tables: columns, cells, markdown, csv and json."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from tabulate import tabulate

from ..baselines.llm.usage import Usage
from ..benchmark.inputs import looks_at
from ..benchmark.metrics import Metric
from ..benchmark.scoring import Score
from ..benchmark.statistics import NOTHING_RESOLVED
from ..benchmark.untrusted import printable
from ..submissions.rescoring import LeaderboardEntry
from .across_tasks import Estimate, Summary
from .board import Board, Section, standing
from .reported import reported

SUMMARY_COLUMNS = ("model", "mean rank", "mean skill", "tasks", "missing")
REPORTED_COLUMNS = ("reported, not recomputed", "R2", "RMSE", "split", "source")


@dataclass(frozen=True)
class TableColumn:
    """A column of a table of models.

    Attributes:
        heading: its heading.
        cell: the text of a row.
        fits_terminal: whether narrow tables have it.
        of_service: whether it says something only of models behind a service.
    """

    heading: str
    cell: Callable[[LeaderboardEntry], str]
    fits_terminal: bool = True
    of_service: bool = False


def table_columns(section: Section, terminal: bool = False) -> list[TableColumn]:
    """The columns that say something in a section; for a terminal, those that fit."""
    uses_service = any(entry.usage is not None for entry in section.rows)
    return [
        column
        for column in (*_FIRST_COLUMNS, *map(_metric_column, section.metrics.values()), *_LAST_COLUMNS)
        if (column.fits_terminal or not terminal) and (uses_service or not column.of_service)
    ]


def cells(section: Section, columns: list[TableColumn]) -> list[list[str]]:
    """The rows of a section as text."""
    return [[column.cell(entry) for column in columns] for entry in section.rows]


def score_text(score: Score) -> str:
    """A score with its interval, as in `6.73 [5.72, 7.69]`."""
    if score.value is None:
        return "undefined"
    if score.low is None or score.high is None:
        return f"{score.value:.3g} [undefined]"
    return f"{score.value:.3g} [{score.low:.3g}, {score.high:.3g}]"


def ranks_text(entry: LeaderboardEntry) -> str:
    """The ranks that are not ruled out, as in `1-4`."""
    if entry.rank is None:
        return ""
    low, high = entry.rank.low, entry.rank.high
    return str(low) if low == high else f"{low}-{high}"


def _metric_column(metric: Metric) -> TableColumn:
    return TableColumn(metric.label, lambda entry: score_text(entry.score[metric.name]), metric.prominent)


def _seeds(entry: LeaderboardEntry) -> str:
    spread = entry.score[entry.reference.metric.name].seed_std
    return f"{len(entry.result.seeds)}" + (f", +-{spread:.2g}" if spread is not None else "")


def _of_usage(text: Callable[[Usage], str]) -> Callable[[LeaderboardEntry], str]:
    def cell(entry: LeaderboardEntry) -> str:
        return "" if entry.usage is None else text(entry.usage)

    return cell


def _tokens(usage: Usage) -> str:
    sent, received = usage.prompt_tokens, usage.completion_tokens
    return "unknown" if sent is None or received is None else f"{sent:,} + {received:,}"


def _cost(usage: Usage) -> str:
    return "unknown" if usage.cost is None else f"${usage.cost:.4f}"


def _latency(usage: Usage) -> str:
    return "unknown" if usage.seconds_median is None else f"{usage.seconds_median:.2g}"


_FIRST_COLUMNS = (
    TableColumn("#", lambda entry: str(entry.rank.rank) if entry.rank else "-"),
    TableColumn("ranks", ranks_text),
    TableColumn("group", lambda entry: entry.rank.group if entry.rank else "", fits_terminal=False),
    TableColumn("model", lambda entry: entry.name),
    TableColumn("looks at", lambda entry: looks_at(entry.inputs)),
)
_LAST_COLUMNS = (
    TableColumn("coverage", lambda entry: f"{entry.score.coverage:.0%}"),
    TableColumn("seeds", _seeds),
    TableColumn("n", lambda entry: str(entry.score.n), fits_terminal=False),
    TableColumn("tokens", _of_usage(_tokens), of_service=True),
    TableColumn("cost", _of_usage(_cost), of_service=True),
    TableColumn("latency (s)", _of_usage(_latency), of_service=True),
    TableColumn("standing", standing),
)


def reported_cells(task: str) -> list[list[str]]:
    """Literature values of a task as text, in the order of `REPORTED_COLUMNS`."""
    return [[v.model, v.r2, f"{v.rmse} {v.unit}" if v.rmse else "", v.split, v.source] for v in reported(task)]


def summary_cells(summary: Summary) -> list[list[str]]:
    """The rows of a summary as text, in the order of `SUMMARY_COLUMNS`."""
    return [
        [
            row.model,
            "" if row.rank is None else _estimate_text(row.rank),
            _estimate_text(row.skill),
            f"{len(row.tasks)} of {len(summary.tasks)}",
            ", ".join(row.missing),
        ]
        for row in summary.rows
    ]


def _estimate_text(estimate: Estimate) -> str:
    if estimate.low is None or estimate.high is None:
        return f"{estimate.value:.3g}"
    return f"{estimate.value:.3g} [{estimate.low:.3g}, {estimate.high:.3g}]"


def to_markdown(board: Board) -> str:
    """The board as markdown tables."""
    blocks = []
    for section in board.sections:
        blocks += [
            f"### {section.title}",
            _markdown_table(section),
        ]
        if section.summary:
            blocks.append(_plain(section.summary))
        if literature := reported_cells(section.task):
            blocks.append(tabulate(literature, REPORTED_COLUMNS, tablefmt="github", disable_numparse=True))
    for summary in board.summaries:
        rows = [[_plain(cell) for cell in row] for row in summary_cells(summary)]
        table = tabulate(rows, SUMMARY_COLUMNS, tablefmt="github", disable_numparse=True)
        blocks += [f"### {summary.title}", table, summary.caption]
    blocks += [f"Left out: {_plain(reason)}" for reason in board.left_out]
    return "\n\n".join(blocks) + "\n"


def _markdown_table(section: Section) -> str:
    """Cells are escaped, so that the table stays whole whatever a model is called."""
    columns = table_columns(section)
    rows = [[_plain(cell) for cell in row] for row in cells(section, columns)]
    return tabulate(rows, [column.heading for column in columns], tablefmt="github", disable_numparse=True)


def _plain(text: str) -> str:
    """A text on one line that is neither markup nor a link, a picture, or the end of a cell."""
    for sign, written in (("|", "\\|"), ("<", "&lt;"), ("](", "]\\("), ("![", "!\\["), ("`", "'")):
        text = text.replace(sign, written)
    return printable(text)


def records(board: Board) -> list[dict[str, Any]]:
    """The board as one flat record per row, numbers unrounded."""
    return [_record(section, entry) for section in board.sections for entry in section.rows]


def _record(section: Section, entry: LeaderboardEntry) -> dict[str, Any]:
    rank, card, result, scores = entry.rank, entry.card, entry.result, entry.score
    record: dict[str, Any] = {
        "task": section.task,
        "unit": section.unit,
        "kind": result.kind,
        "metric": result.metric,
        "split": section.split,
        "protocol": section.protocol,
        "rank": rank and rank.rank,
        "rank_low": rank and rank.low,
        "rank_high": rank and rank.high,
        "group": rank and rank.group,
        "p_first": rank and rank.p_first,
        **(section.ranking.resolution or NOTHING_RESOLVED).as_record(),
        "model": entry.name,
        "version": card and card.version,
        "parameters": json.dumps(result.model.parameters),
        "inputs": None if entry.inputs is None else " + ".join(entry.inputs),
        "text": result.text,
        "channel": result.channel,
        "pretrained": entry.is_pretrained,
        "exposure": card and card.pretraining.exposure,
        "random_weights": entry.has_random_weights,
        "seeds": len(result.seeds),
        "n": scores.n,
        "coverage": scores.coverage,
        "standing": standing(entry),
    }
    for name, score in scores.metrics.items():
        record |= {name: score.value, f"{name}_low": score.low, f"{name}_high": score.high}
        record[f"{name}_seed_std"] = score.seed_std
    for name in ("prompt_tokens", "completion_tokens", "cost", "seconds_median"):
        record[name] = getattr(entry.usage, name, None)
    record["seconds_fit"] = sum(fit.seconds_fit for fit in result.fits)
    # The location of an entry is the same everywhere.
    return record | {"run": "/".join(entry.folder.parts[-3:]) if card else str(entry.folder)}


def to_csv(board: Board) -> str:
    """The board as csv."""
    rows = records(board)
    buffer = io.StringIO()
    names = dict.fromkeys(name for row in rows for name in row)  # kinds of target differ in their metrics
    writer = csv.DictWriter(buffer, names or ["task"], lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: _cell(value) for name, value in row.items()} for row in rows)
    return buffer.getvalue()


def _cell(value: Any) -> Any:
    """A cell that a spreadsheet does not mistake for a formula."""
    return f"'{value}" if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r")) else value


def to_json(board: Board) -> str:
    """The board as json, with the models across tasks, and the runs left out and why."""
    across = [asdict(summary) for summary in board.summaries]
    record = {"rows": records(board), "across_tasks": across, "left_out": board.left_out}
    return json.dumps(record, indent=1, allow_nan=False)
