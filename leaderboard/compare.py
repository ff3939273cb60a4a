"""Compare two runs on the same samples."""

from __future__ import annotations

from dataclasses import dataclass

from ..benchmark.bootstrap import interval, paired_differences
from ..benchmark.errors import DataError
from ..benchmark.metrics import METRICS
from ..submissions.rescore import RescoredRun

_SAME = ("task", "protocol", "split", "content_sha256")


@dataclass(frozen=True)
class Difference:
    """First minus second in one metric, with its 95 % paired bootstrap interval; None where undefined."""

    value: float | None
    low: float | None
    high: float | None

    @property
    def separates(self) -> bool:
        """Whether the interval leaves zero out."""
        return self.low is not None and self.high is not None and (self.low > 0 or self.high < 0)


def compare(first: RescoredRun, second: RescoredRun) -> dict[str, Difference]:
    """Differences, first minus second, on the split that ranks, by metric.

    Raises:
        DataError: the runs are not of one task, protocol and split.
    """
    for name in _SAME:
        one, two = getattr(first.run.result, name), getattr(second.run.result, name)
        if one != two:
            shown = "" if name == "content_sha256" else f" ({one} and {two})"
            raise DataError(f"The runs differ in {name}{shown}, so their samples cannot be paired.")
    a, b = first.scored[first.main], second.scored[second.main]
    draws = paired_differences(a.target, a.prediction, b.prediction, a.clusters)
    differences = {}
    for name in METRICS:
        bounds = interval(draws[name])
        one, two = (getattr(run.scores[run.main], name).value for run in (first, second))
        if bounds is None or one is None or two is None:
            differences[name] = Difference(None, None, None)
        else:
            differences[name] = Difference(one - two, *bounds)
    return differences


def verdict(first: str, second: str, differences: dict[str, Difference], main: str = "rmse") -> str:
    """One plain sentence on two models."""
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
