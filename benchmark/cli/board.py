"""`ecdbench leaderboard`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ...leaderboard.board import Board, make_board
from ...leaderboard.contestants import Filter
from ...leaderboard.render import (
    REPORTED_COLUMNS,
    TERMINAL_COLUMNS,
    cells,
    columns_of,
    reported_cells,
    to_csv,
    to_json,
    to_markdown,
)
from ...submissions.entry import accepted_entries
from ...tasks.catalogue import dataset_names, task_ids
from ..errors import EcdbenchError, unknown_name
from .output import print_table, progress_bars, say, shown, warn

_FORMATS = ("terminal", "markdown", "csv", "json", "html")
_INPUTS = ("image", "density", "formula", "text")
_TIERS = ("none", "single", "key", "all")
_FOLDED = 3


def filter_of(task: str | None, inputs: str | None, text: str | None, pretrained: bool | None) -> Filter:
    """A filter from a command's options.

    Raises:
        EcdbenchError: there is no such task, input or tier.
    """
    known = {*task_ids(), *(name.partition("/")[0] for name in task_ids())}
    columns = None if inputs is None else frozenset(name.strip() for name in inputs.split(",") if name.strip())
    for name in columns or ():
        if name not in _INPUTS:
            raise EcdbenchError(unknown_name("input", name, _INPUTS, f"There are {', '.join(_INPUTS)}."))
    if text not in (None, *_TIERS):
        raise EcdbenchError(unknown_name("text tier", text, _TIERS, f"There are {', '.join(_TIERS)}."))
    own = task is not None and (Path(task).exists() or "@" in task or task.partition("/")[0] not in dataset_names())
    if task is not None and task not in known and ("/" not in task or not own):
        raise EcdbenchError(unknown_name("task", task, known, "`ecdbench tasks` lists them all."))
    return Filter(task, columns, text, pretrained)


def leaderboard_command(
    given: list[Path] | None, wanted: Filter, form: str, out: Path | None, serve: bool, data_dir: Path | None
) -> None:
    """Print or write the board."""
    if serve and form not in ("terminal", "html"):
        raise EcdbenchError(f"--serve shows the html board; leave out --format {form}.")
    form = "html" if serve else form
    if out is not None and (serve or form == "terminal"):
        raise EcdbenchError("--out writes markdown, csv, json or html: say which with --format, and leave out --serve.")
    if form not in _FORMATS:
        raise EcdbenchError(unknown_name("format", form, _FORMATS, f"There are {', '.join(_FORMATS)}."))
    roots = given or _usual_roots()
    if absent := [str(root) for root in roots if not root.is_dir()]:
        raise EcdbenchError(f"There is no folder {absent[0]}; give one with runs that `ecdbench evaluate` made.")
    with progress_bars(quiet=False) as (progress, _):
        board = make_board(roots, wanted, data_dir, progress)
    if not board.sections:
        _warn_of(board.left_out)
        if board.left_out:
            raise EcdbenchError("Nothing can be shown, for the reason above.")
        of_task = f" on {wanted.task}" if wanted.task else ""
        fit = "" if wanted == Filter(wanted.task) else " that fit the filters (--inputs, --text, --pretrained)"
        raise EcdbenchError(f"There are no runs{of_task}{fit} in {', '.join(map(str, roots))}.")
    if form == "terminal":
        _print(board)
    elif form == "html":
        _html(board, out or Path("leaderboard.html"), serve, data_dir)
    else:
        text = {"markdown": to_markdown, "csv": to_csv, "json": to_json}[form](board).rstrip("\n")
        _deliver(text, out)
    if form in ("terminal", "csv"):  # the other formats say it themselves
        _warn_of(board.left_out)


def _usual_roots() -> list[Path]:
    """The accepted entries, and the runs of this folder where there are any."""
    return [accepted_entries(), *([Path("runs")] if Path("runs").is_dir() else [])]


def _print(board: Board) -> None:
    for section in board.sections:
        columns = columns_of(section, TERMINAL_COLUMNS)
        print_table(columns, cells(section, columns), title=section.title, caption=section.reading)
        if literature := reported_cells(section.task):
            print_table(REPORTED_COLUMNS, literature)
        say()


def _html(board: Board, out: Path, serve: bool, data_dir: Path | None) -> None:
    from ...leaderboard.page import make_page

    page = make_page(board, data_dir)
    if serve:
        from ...leaderboard.serve import serve_page

        serve_page(page, lambda address: say(f"The board is at {address} (Ctrl-C ends it)."))
    else:
        _deliver(page, out)
        say(f"Board: {shown(out.resolve())}, {len(page.encode()) / 1000:,.0f} kB; open it in a browser.")


def _deliver(text: str, out: Path | None) -> None:
    if out is None:
        say(text)
    else:
        from ..storage import write_text

        write_text(out, text + "\n")


def _warn_of(left_out: Sequence[str]) -> None:
    """Say what was left out; one sentence for many entries that lack the same thing."""
    counted = {reason: left_out.count(reason) for reason in left_out}
    for reason, count in counted.items():
        warn(f"Left out{f' ({count} times)' if count > 1 else ''}: {reason}")
