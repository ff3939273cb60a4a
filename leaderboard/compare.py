"""Compare two runs on the same samples."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..benchmark.difference import Difference, differences
from ..benchmark.errors import DataError
from ..benchmark.scoring import COVERAGE_THRESHOLD
from ..submissions.rescore import RescoredRun
from .statistics import fold_p_value

if TYPE_CHECKING:
    import pandas as pd

_SAME = ("task", "protocol", "split", "content_sha256")


def compare(first: RescoredRun, second: RescoredRun) -> dict[str, Difference]:
    """Differences, first minus second, on the split that ranks, by metric.

    Raises:
        DataError: the runs are not of one task, protocol and split, or one is of a few rows only.
    """
    for name in _SAME:
        one, two = getattr(first.run.result, name), getattr(second.run.result, name)
        if one != two:
            shown = "" if name == "content_sha256" else f" ({one} and {two})"
            raise DataError(f"The runs differ in {name}{shown}, so their samples cannot be paired.")
    for run in (first, second):
        if run.run.result.limit is not None:
            raise DataError(
                f"{run.run.folder} asked for {run.run.result.limit} rows only (--limit); compare whole runs."
            )
    one, two = ((run.scored[run.main], run.scores[run.main]) for run in (first, second))
    return differences(one, two)


def corrected_t(first: RescoredRun, second: RescoredRun) -> float | None:
    """P-value of the corrected resampled t-test of two cross-validated runs; None for the fixed protocol."""
    return fold_p_value(first, second) if first.run.result.protocol == "cv" else None


def per_sample(first: RescoredRun, second: RescoredRun) -> pd.DataFrame:
    """Both models' predictions of each sample, mean over seeds, where they differ most first.

    Returns:
        Columns `id`, `target`, `first`, `second`, and `closer`: absolute error of the first minus that of the second.
    """
    import pandas as pd

    one, two = first.scored[first.main], second.scored[second.main]
    frame = pd.DataFrame(
        {
            "id": first.ids[first.main],
            "target": one.target,
            "first": one.prediction.mean(axis=0),
            "second": two.prediction.mean(axis=0),
        }
    )
    frame["closer"] = (frame["first"] - frame["target"]).abs() - (frame["second"] - frame["target"]).abs()
    return frame.sort_values("closer", key=lambda values: -values.abs(), kind="stable", ignore_index=True)


def coverages(*runs: RescoredRun) -> list[float]:
    """Share of usable predictions of each run, on the split that ranks."""
    return [run.scores[run.main].coverage for run in runs]


def verdict(
    first: str, second: str, differences: dict[str, Difference], coverage: Sequence[float], main: str = "rmse"
) -> str:
    """One plain sentence on two models; of one that mostly failed, nothing is said but that."""
    for name, share in zip((first, second), coverage, strict=True):
        if share < COVERAGE_THRESHOLD:
            return f"{name} is not judged: only {share:.0%} of its predictions are there."
    difference = differences[main]
    if difference.value is None:
        return f"{first} and {second} cannot be compared: {main.upper()} is undefined."
    if not difference.separates:
        return (
            f"{first} and {second} cannot be told apart: the 95 % interval of their {main.upper()} difference, "
            f"{difference.low:.3g} to {difference.high:.3g}, includes zero."
        )
    better, worse = (first, second) if difference.value < 0 else (second, first)
    return f"{better} is better than {worse}: the 95 % interval of the {main.upper()} difference leaves zero out."
