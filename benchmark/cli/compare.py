"""`ecdbench compare`."""

from __future__ import annotations

import json
from pathlib import Path

from ...leaderboard.compare import compare, corrected_t, coverages, per_sample, verdict
from ...leaderboard.contestants import name_of
from ...leaderboard.render import text_of
from ...submissions.reference import References
from ...submissions.rescore import RescoredRun, rescore
from ..difference import Difference
from ..errors import DataError, EcdbenchError
from ..storage import write_text
from .output import print_table, say, shown, warn

_LISTED = 8


def compare_command(first: Path, second: Path, data_dir: Path | None, out: Path | None, as_json: bool) -> None:
    """Print the paired differences of two runs, where they differ most, and one sentence."""
    references = References(data_dir)
    one, two = rescore(first, references), rescore(second, references)
    differences = compare(one, two)
    names = _names(one, two)
    sentence = verdict(*names, differences, coverages(one, two))
    samples, p_value = per_sample(one, two), corrected_t(one, two)
    if out is not None:
        from ...leaderboard.drawing import draw_parity

        draw_parity(out / "parity.png", (one, two), names)
        write_text(out / "samples.csv", samples.to_csv(index=False))
    if as_json:
        record = {
            "first": str(first),
            "second": str(second),
            "verdict": sentence,
            "difference": {name: value.model_dump() for name, value in differences.items()},
            "corrected_t_p_value": p_value,
            "samples": json.loads(samples.to_json(orient="records")),
        }
        say(json.dumps(record, indent=1))
        return
    _print_metrics(one, two, names, differences)
    print_table(
        ["id", f"target ({one.run.result.unit})", *names, "|error|, first minus second"],
        [
            [row["id"], *(f"{row[name]:.4g}" for name in ("target", "first", "second")), f"{row['closer']:+.3g}"]
            for row in samples.head(_LISTED).to_dict("records")
        ],
        title="Samples on which they differ most",
    )
    say(sentence)
    if p_value is not None:
        say(f"Corrected resampled t-test over the folds (Nadeau and Bengio 2003): p = {p_value:.2g}.")
    if out is not None:
        say(f"Parity plot and all samples: {shown(out.resolve())}")


def _names(one: RescoredRun, two: RescoredRun) -> tuple[str, str]:
    names = name_of(one), name_of(two)
    return names if names[0] != names[1] else (str(one.run.folder), str(two.run.folder))


def _print_metrics(
    one: RescoredRun, two: RescoredRun, names: tuple[str, str], differences: dict[str, Difference]
) -> None:
    rows = []
    for metric, difference in differences.items():
        values = [getattr(run.scores[run.main], metric).value for run in (one, two)]
        seen = ["undefined" if value is None else f"{value:.3g}" for value in values]
        rows.append([metric.upper(), *seen, _gap(difference), "yes" if difference.separates else "no"])
    title = f"{one.run.result.task}, {one.main}: first minus second, paired bootstrap"
    print_table(["metric", *names, "difference [95 %]", "separated"], rows, title=title)


def _gap(difference: Difference) -> str:
    if difference.value is None:
        return "undefined"
    return f"{difference.value:+.3g} [{difference.low:+.3g}, {difference.high:+.3g}]"


def compare_with_each(first: Path, others: list[Path], data_dir: Path | None, as_json: bool, out: Path | None) -> None:
    """Print the paired RMSE difference of a run and each of several others, and a sentence on each."""
    if out is not None:
        raise EcdbenchError("--out is for two runs; give one run to compare with, or leave it out.")
    references = References(data_dir)
    one = rescore(first, references)
    name, rows, records, sentences = name_of(one), [], [], []
    for folder in others:
        two = rescore(folder, references)
        try:
            differences = compare(one, two)
        except DataError as error:
            warn(f"Left out: {folder.name}: {error}")
            continue
        other = name_of(two) if name_of(two) != name else str(folder)
        gap, scores = differences["rmse"], two.scores[two.main]
        rows.append(
            [other, text_of(scores.rmse), f"{scores.coverage:.0%}", _gap(gap), "yes" if gap.separates else "no"]
        )
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
