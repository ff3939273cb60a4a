"""The difference of two sets of predictions on the same samples."""

from __future__ import annotations

from pydantic import BaseModel

from .bootstrap import interval, paired_differences
from .metrics import METRICS
from .scoring import Scored, Scores


class Difference(BaseModel):
    """First minus second in one metric, with its 95 % paired bootstrap interval; None where undefined."""

    value: float | None
    low: float | None
    high: float | None

    @property
    def separates(self) -> bool:
        """Whether the interval leaves zero out."""
        return self.low is not None and self.high is not None and (self.low > 0 or self.high < 0)


def differences(first: tuple[Scored, Scores], second: tuple[Scored, Scores]) -> dict[str, Difference]:
    """Differences, first minus second, by metric; both are predictions of the same samples in the same order."""
    (a, one), (b, two) = first, second
    draws = paired_differences(a.target, a.prediction, b.prediction, a.clusters)
    found = {}
    for name in METRICS:
        bounds = interval(draws[name])
        values = getattr(one, name).value, getattr(two, name).value
        if bounds is None or None in values:
            found[name] = Difference(value=None, low=None, high=None)
        else:
            found[name] = Difference(value=values[0] - values[1], low=bounds[0], high=bounds[1])
    return found
