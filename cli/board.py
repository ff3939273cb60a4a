"""The commands that look at runs and rank them: show, compare, leaderboard."""

from __future__ import annotations

import json as json_format
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .options import DataDir, Download, Json

if TYPE_CHECKING:
    from ..benchmark.differences import Difference
    from ..benchmark.metrics import Metric
    from ..benchmark.scoring import Score
    from ..leaderboard.board import Board, Filter
    from ..submissions.rescoring import LeaderboardEntry

commands = typer.Typer(rich_markup_mode=None)
_WORST, _LISTED = 5, 8
_FORMATS = ("terminal", "markdown", "csv", "json", "html")


@commands.command(epilog="Example: ecdbench show runs/sfe/pixel-ridge-cv-official-1a2b3c4d")
def show(run: Path, data_dir: DataDir = None, download: Download = False, json: Json = False) -> None:
    """Show a run: scores of every split, largest errors, time, provenance."""
    from ..benchmark.results import Run
    from ..submissions.reference import References
    from ..submissions.rescoring import rescore
    from .output import print_table, say
    from .scores import print_result

    entry = rescore(run, References(data_dir, download))
    result = entry.result.model_copy(update={"scores": dict(entry.scores)})
    if json:
        say(result.model_dump_json(indent=1))
        return
    print_result(Run(run, result))
    title = f"Largest errors on {entry.main}"
    print_table(["id", _with_unit("target", result.unit), "prediction", "error"], _largest_errors(entry), title=title)
    seconds = sum(fit.seconds_fit for fit in result.fits)
    environment = result.environment
    say(
        f"{len(result.fits)} fit(s), {seconds:.1f} s; ecdbench {environment.ecdbench}, Python {environment.python}, "
        f"{environment.device}, {environment.cpu_count} cores; "
        f"{result.created:%Y-%m-%d %H:%M} UTC; commit {environment.commit or 'none'}."
    )


@commands.command(
    epilog="Examples: ecdbench compare runs/sfe/pixel-ridge-... runs/sfe/composition-forest-... --out comparison   |   "
    "ecdbench compare runs/ecd-fcc--k_vrh/in-context-... runs/ecd-fcc--k_vrh/*"
)
def compare(
    first: Path,
    others: Annotated[list[Path], typer.Argument(help="One run, or several, each compared with the first.")],
    out: Annotated[
        Path | None, typer.Option(help="Of two runs: folder for a parity plot and a csv file of all samples.")
    ] = None,
    data_dir: DataDir = None,
    download: Download = False,
    json: Json = False,
) -> None:
    """Compare a run with others on the same samples, by a cluster sign-flip test of each pair.

    Of two runs also what difference could have been found, the samples on which they differ most and, for
    cross-validation, a corrected resampled t-test as a second opinion.
    """
    from ..submissions.reference import References
    from ..submissions.rescoring import rescore

    references = References(data_dir, download)
    rest = [other for other in others if other.resolve() != first.resolve()] or others
    if len(rest) == 1:
        _compare_two(rescore(first, references), rescore(rest[0], references), out, json)
    else:
        _compare_with_each(rescore(first, references), [rescore(one, references) for one in rest], out, json)


@commands.command(
    epilog="Examples: ecdbench leaderboard --task sfe --format markdown > sfe.md   |   "
    "ecdbench leaderboard --inputs image --format html --out board.html   |   ecdbench leaderboard --serve"
)
def leaderboard(
    runs: Annotated[
        list[Path] | None,
        typer.Argument(help="Folders with runs, or of entries; the accepted entries and `runs` by default."),
    ] = None,
    task: Annotated[str | None, typer.Option("--task", "-t", help="One task, or all of a dataset.")] = None,
    inputs: Annotated[
        str | None, typer.Option(help="Models that look at exactly these inputs, as in image or image,text.")
    ] = None,
    text: Annotated[str | None, typer.Option(help="Models given this text tier: none, single, key or all.")] = None,
    pretrained: Annotated[
        bool | None, typer.Option("--pretrained/--not-pretrained", help="Pretrained models only, or the others.")
    ] = None,
    format: Annotated[str, typer.Option("--format", "-f", help="terminal, markdown, csv, json or html.")] = "terminal",
    out: Annotated[Path | None, typer.Option(help="File to write; html goes to leaderboard.html by default.")] = None,
    serve: Annotated[bool, typer.Option("--serve", help="Show the html board on this machine, in a browser.")] = False,
    data_dir: DataDir = None,
    download: Download = False,
) -> None:
    """Rank models. Every number is recomputed from predictions; ranks are among the rows shown."""
    from ..benchmark.errors import EcdbenchError, unknown_name
    from ..leaderboard.board import make_board
    from ..leaderboard.formats import to_csv, to_json, to_markdown
    from ..submissions.reference import References
    from .output import progress_bars

    wanted = _filter(task, inputs, text, pretrained)
    if serve and format not in ("terminal", "html"):
        raise EcdbenchError(f"--serve shows the html board; leave out --format {format}.")
    format = "html" if serve else format
    if out is not None and (serve or format == "terminal"):
        raise EcdbenchError("--out writes markdown, csv, json or html: say which with --format, and leave out --serve.")
    if format not in _FORMATS:
        raise EcdbenchError(unknown_name("format", format, _FORMATS, f"Available: {', '.join(_FORMATS)}."))
    roots = runs or _usual_roots()
    if absent := [str(root) for root in roots if not root.is_dir()]:
        raise EcdbenchError(f"There is no folder {absent[0]}; give one with runs that `ecdbench evaluate` made.")
    with progress_bars(quiet=False) as (progress, _):
        board = make_board(roots, wanted, References(data_dir, download), progress)
    if not board.sections:
        _report_empty(board, wanted, roots)
    if format == "terminal":
        _print_board(board)
    elif format == "html":
        _write_page(board, out or Path("leaderboard.html"), serve, data_dir)
    else:
        _deliver({"markdown": to_markdown, "csv": to_csv, "json": to_json}[format](board).rstrip("\n"), out)
    if format in ("terminal", "csv"):  # the other formats say it themselves
        _warn_of(board.left_out)


def _filter(task: str | None, inputs: str | None, text: str | None, pretrained: bool | None) -> Filter:
    """A filter from the options of the command.

    Raises:
        EcdbenchError: there is no such task, input or tier.
    """
    from ..benchmark.errors import EcdbenchError, unknown_name
    from ..benchmark.inputs import INPUTS
    from ..leaderboard.board import Filter
    from ..tasks.catalogue import task_ids
    from ..tasks.datasets import DATASETS

    known = {*task_ids(), *(name.partition("/")[0] for name in task_ids())}
    names = None if inputs is None else frozenset(name.strip() for name in inputs.split(",") if name.strip())
    for name in names or ():
        if name not in INPUTS:
            raise EcdbenchError(unknown_name("input", name, INPUTS.names(), f"Available: {', '.join(INPUTS.names())}."))
    tiers = ("none", *dict.fromkeys(tier for one in DATASETS.all().values() for tier in one.facts.text_tiers))
    if text not in (None, *tiers):
        raise EcdbenchError(unknown_name("text tier", text or "", tiers, f"Available: {', '.join(tiers)}."))
    elsewhere = task is not None and (Path(task).exists() or "@" in task or task.partition("/")[0] not in DATASETS)
    if task is not None and task not in known and ("/" not in task or not elsewhere):
        raise EcdbenchError(unknown_name("task", task, known, "`ecdbench tasks` lists them all."))
    return Filter(task, names, text, pretrained)


def _usual_roots() -> list[Path]:
    """The accepted entries, and the runs of this folder where there are any."""
    from ..submissions.entry import accepted_entries

    return [accepted_entries(), *([Path("runs")] if Path("runs").is_dir() else [])]


def _report_empty(board: Board, wanted: Filter, roots: Sequence[Path]) -> None:
    from ..benchmark.errors import EcdbenchError
    from ..leaderboard.board import Filter

    _warn_of(board.left_out)
    if board.left_out:
        raise EcdbenchError("Nothing can be shown, for the reason above.")
    of_task = f" on {wanted.task}" if wanted.task else ""
    fit = "" if wanted == Filter(wanted.task) else " that fit the filters (--inputs, --text, --pretrained)"
    raise EcdbenchError(f"There are no runs{of_task}{fit} in {', '.join(map(str, roots))}.")


def _print_board(board: Board) -> None:
    from ..leaderboard.formats import (
        REPORTED_COLUMNS,
        SUMMARY_COLUMNS,
        cells,
        reported_cells,
        summary_cells,
        table_columns,
    )
    from .output import print_table, say

    for section in board.sections:
        columns = table_columns(section, terminal=True)
        headings = [column.heading for column in columns]
        print_table(headings, cells(section, columns), title=section.title, caption=section.summary)
        if literature := reported_cells(section.task):
            print_table(REPORTED_COLUMNS, literature)
        say()
    for summary in board.summaries:
        print_table(SUMMARY_COLUMNS, summary_cells(summary), title=summary.title, caption=summary.caption)


def _write_page(board: Board, out: Path, serve: bool, data_dir: Path | None) -> None:
    from ..leaderboard.page import make_page
    from .output import say, shown

    page = make_page(board, data_dir)
    if serve:
        from ..leaderboard.serve import serve_page

        serve_page(page, lambda address: say(f"The board is at {address} (Ctrl-C ends it)."))
    else:
        _deliver(page, out)
        say(f"Board: {shown(out.resolve())}, {len(page.encode()) / 1000:,.0f} kB; open it in a browser.")


def _deliver(text: str, out: Path | None) -> None:
    from ..benchmark.storage import write_text
    from .output import say

    if out is None:
        say(text)
    else:
        write_text(out, text + "\n")


def _warn_of(left_out: Sequence[str]) -> None:
    """Say what was left out; one sentence for many entries that lack the same thing."""
    from .output import warn

    for reason in dict.fromkeys(left_out):
        count = left_out.count(reason)
        warn(f"Left out{f' ({count} times)' if count > 1 else ''}: {reason}")


def _with_unit(word: str, unit: str) -> str:
    return f"{word} ({unit})" if unit else word


def _largest_errors(entry: LeaderboardEntry) -> list[list[str]]:
    import numpy as np

    target, prediction = entry.sample.target, entry.sample.prediction.mean(axis=0)
    error = prediction - target
    worst = np.argsort(-np.abs(error))[:_WORST]
    return [[entry.ids[i], f"{target[i]:.4g}", f"{prediction[i]:.4g}", f"{error[i]:+.3g}"] for i in worst]


def _compare_two(one: LeaderboardEntry, two: LeaderboardEntry, out: Path | None, as_json: bool) -> None:
    """Print the paired differences of two runs, where they differ most, and one sentence."""
    from ..benchmark.statistics import resolve_pair
    from ..benchmark.storage import write_text
    from ..leaderboard.board import what_it_resolves
    from ..leaderboard.compare import compare, corrected_t, name_of, per_sample, verdict
    from .output import print_table, say, shown

    differences = compare(one, two)
    names = name_of(one), name_of(two)
    names = names if names[0] != names[1] else (str(one.folder), str(two.folder))
    sentence = verdict(names, (one, two), differences)
    samples, p_value = per_sample(one, two), corrected_t(one, two)
    resolution = resolve_pair(one.sample, two.sample, one.reference.metric)
    unit = one.result.unit
    if out is not None:
        from ..benchmark.plots import draw_parity

        drawn = dict(zip(names, (one.sample, two.sample), strict=True))
        draw_parity(out / "parity.png", drawn, one.result.target, unit)
        write_text(out / "samples.csv", samples.to_csv(index=False))
    if as_json:
        record = {
            "first": str(one.folder),
            "second": str(two.folder),
            "verdict": sentence,
            "difference": {name: value.model_dump() for name, value in differences.items()},
            "resolution": resolution.as_record(),
            "corrected_t_p_value": p_value,
            "samples": json_format.loads(samples.to_json(orient="records")),
        }
        say(json_format.dumps(record, indent=1))
        return
    rows = [
        [metric.label, *_values(metric, one, two), _gap(gap), _p(gap)]
        for metric, gap in ((_metric(name), gap) for name, gap in differences.items())
    ]
    title = f"{one.result.task}, {one.main}: first minus second, cluster sign-flip test"
    print_table(["metric", *names, "difference [95 %]", "p"], rows, title=title)
    print_table(
        ["id", _with_unit("target", unit), *names, "|error|, first minus second"],
        [
            [row["id"], *(f"{row[name]:.4g}" for name in ("target", "first", "second")), f"{row['closer']:+.3g}"]
            for row in samples.head(_LISTED).to_dict("records")
        ],
        title="Samples on which they differ most",
    )
    say(sentence)
    for resolved in what_it_resolves("This comparison", resolution, one.reference.metric, unit, one.score.n):
        say(resolved)
    if p_value is not None:
        say(
            "Second opinion, which does not decide: corrected resampled t-test over the folds (Nadeau and Bengio "
            f"2003), p = {p_value:.2g}."
        )
    if out is not None:
        say(f"Parity plot and all samples: {shown(out.resolve())}")


def _compare_with_each(one: LeaderboardEntry, others: list[LeaderboardEntry], out: Path | None, as_json: bool) -> None:
    """Print the paired difference of a run and each of several others in the metric that ranks, and a sentence on
    each."""
    from ..benchmark.errors import DataError, EcdbenchError
    from ..leaderboard.compare import compare, name_of, verdict
    from ..leaderboard.formats import score_text
    from .output import print_table, say, warn

    if out is not None:
        raise EcdbenchError("--out is for two runs; give one run to compare with, or leave it out.")
    name, metric = name_of(one), one.reference.metric
    rows: list[list[Any]] = []
    records, sentences = [], []
    for two in others:
        try:
            differences = compare(one, two)
        except DataError as error:
            warn(f"Left out: {two.folder.name}: {error}")
            continue
        other = name_of(two) if name_of(two) != name else str(two.folder)
        gap = differences[metric.name]
        score = score_text(two.score[metric.name])
        rows.append([other, score, f"{two.score.coverage:.0%}", _gap(gap), _p(gap)])
        sentences.append(verdict((name, other), (one, two), differences))
        difference = {name: value.model_dump() for name, value in differences.items()}
        records.append({"second": str(two.folder), "verdict": sentences[-1], "difference": difference})
    if as_json:
        say(json_format.dumps({"first": str(one.folder), "others": records}, indent=1))
        return
    own = f"{metric.label} {score_text(one.score[metric.name])}"
    title = f"{one.result.task}, {one.main}: {name}, {own}, minus each"
    heading = metric.heading(one.result.unit)
    print_table(["other", heading, "coverage", "difference [95 %]", "p"], rows, title=title)
    for sentence in sentences:
        say(sentence)


def _metric(name: str) -> Metric:
    from ..benchmark.metrics import METRICS

    return METRICS.get(name)


def _values(metric: Metric, *entries: LeaderboardEntry) -> list[str]:
    scores: list[Score] = [entry.score[metric.name] for entry in entries]
    return ["undefined" if score.value is None else f"{score.value:.3g}" for score in scores]


def _p(difference: Difference) -> str:
    return "" if difference.p_value is None else f"{difference.p_value:.2g}"


def _gap(difference: Difference) -> str:
    if difference.value is None:
        return "undefined"
    return f"{difference.value:+.3g} [{difference.low:+.3g}, {difference.high:+.3g}]"
