"""Compare two runs on the same samples."""

from __future__ import annotations

from collections.abc import Sequence

from ..benchmark.difference import Difference, differences
from ..benchmark.errors import DataError
from ..benchmark.scoring import COVERAGE_THRESHOLD
from ..submissions.rescore import RescoredRun

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
