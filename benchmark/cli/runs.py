"""`ecdbench show` and `compare`."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from ...leaderboard.compare import compare, coverages, verdict
from ...leaderboard.contestants import label
from ...leaderboard.render import text_of
from ...submissions.reference import References
from ...submissions.rescore import RescoredRun, rescore
from ..errors import DataError
from .output import print_table, say, warn
from .scores import print_result

_WORST = 5


def show_command(folder: Path, data_dir: Path | None, as_json: bool) -> None:
    """Print a run, its scores recomputed."""
    run = rescore(folder, References(data_dir))
    result = run.run.result.model_copy(update={"scores": dict(run.scores)})
    if as_json:
        say(result.model_dump_json(indent=1))
        return
    print_result(type(run.run)(folder, result))
    print_table(
        ["id", f"target ({result.unit})", "prediction", "error"],
        _largest_errors(run),
        title=f"Largest errors on {run.main}",
    )
    fit = sum(part.seconds_fit for part in result.parts)
    environment = result.environment
    say(
        f"{len(result.parts)} fit(s), {fit:.1f} s; ecdbench {environment.ecdbench}, Python {environment.python}, "
        f"{environment.device}, {environment.cpu_count} cores; "
        f"{result.created:%Y-%m-%d %H:%M} UTC; commit {environment.commit or 'none'}."
    )


def _largest_errors(run: RescoredRun) -> list[list[str]]:
    scored, ids = run.scored[run.main], run.ids[run.main]
    prediction = scored.prediction.mean(axis=0)
    error = prediction - scored.target
    worst = np.argsort(-np.abs(error))[:_WORST]
    return [[ids[i], f"{scored.target[i]:.4g}", f"{prediction[i]:.4g}", f"{error[i]:+.3g}"] for i in worst]


def compare_command(first: Path, second: Path, data_dir: Path | None, as_json: bool) -> None:
    """Print the paired differences of two runs and one sentence."""
    references = References(data_dir)
    one, two = rescore(first, references), rescore(second, references)
    differences = compare(one, two)
    names = label(one.run.result), label(two.run.result)
    if names[0] == names[1]:
        names = str(first), str(second)
    sentence = verdict(*names, differences, coverages(one, two))
    if as_json:
        say(
            json.dumps(
                {
                    "first": str(first),
                    "second": str(second),
                    "verdict": sentence,
                    "difference": {name: value.model_dump() for name, value in differences.items()},
                },
                indent=1,
            )
        )
        return
    rows = []
    for metric, difference in differences.items():
        values = [getattr(run.scores[run.main], metric).value for run in (one, two)]
        shown = ["undefined" if value is None else f"{value:.3g}" for value in values]
        gap = (
            "undefined"
            if difference.value is None
            else f"{difference.value:+.3g} [{difference.low:+.3g}, {difference.high:+.3g}]"
        )
        rows.append([metric.upper(), *shown, gap, "yes" if difference.separates else "no"])
    title = f"{one.run.result.task}, {one.main}: first minus second, paired bootstrap"
    print_table(["metric", *names, "difference [95 %]", "separated"], rows, title=title)
    say(sentence)


def compare_with_each(first: Path, others: list[Path], data_dir: Path | None, as_json: bool) -> None:
    """Print the paired RMSE difference of a run and each of several others, and a sentence on each."""
    references = References(data_dir)
    one = rescore(first, references)
    name, rows, records, sentences = label(one.run.result), [], [], []
    for folder in others:
        two = rescore(folder, references)
        try:
            differences = compare(one, two)
        except DataError as error:
            warn(f"Left out: {folder.name}: {error}")
            continue
        other = label(two.run.result) if label(two.run.result) != name else str(folder)
        gap, scores = differences["rmse"], two.scores[two.main]
        shown = "undefined" if gap.value is None else f"{gap.value:+.3g} [{gap.low:+.3g}, {gap.high:+.3g}]"
        rows.append([other, text_of(scores.rmse), f"{scores.coverage:.0%}", shown, "yes" if gap.separates else "no"])
        sentences.append(verdict(name, other, differences, coverages(one, two)))
        difference = {metric: value.model_dump() for metric, value in differences.items()}
        records.append({"second": str(folder), "verdict": sentences[-1], "difference": difference})
    if as_json:
        say(json.dumps({"first": str(first), "others": records}, indent=1))
        return
    title = f"{one.run.result.task}, {one.main}: {name}, RMSE {text_of(one.scores[one.main].rmse)}, minus each"
    print_table(
        ["other", f"RMSE ({one.run.result.unit})", "coverage", "difference [95 %]", "separated"], rows, title=title
    )
    for sentence in sentences:
        say(sentence)
