"""How much a score moves when nothing but a seed or one parameter changes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .results import Run

_METRICS = ("rmse", "r2", "mae", "skill")


@dataclass(frozen=True)
class Repeat:
    """One run among several: what it is called, and the run."""

    label: str
    run: Run


def summary(repeats: Sequence[Repeat], split: str) -> dict[str, dict[str, float | list[float | None] | None]]:
    """Values of the runs by metric, their mean, standard deviation, and the 95 % interval of the mean (Student's t).

    Args:
        repeats: at least one run.
        split: the split whose scores are taken.

    Returns:
        By metric: `values`, `mean`, `spread`, `low`, `high`; None where undefined.
    """
    from scipy.stats import t

    found: dict[str, dict[str, float | list[float | None] | None]] = {}
    for metric in _METRICS:
        values = [getattr(repeat.run.result.scores[split], metric).value for repeat in repeats]
        numbers = np.array([value for value in values if value is not None])
        mean = float(numbers.mean()) if len(numbers) else None
        spread = float(numbers.std(ddof=1)) if len(numbers) > 1 else None
        half = None if spread is None else float(t.ppf(0.975, len(numbers) - 1) * spread / np.sqrt(len(numbers)))
        found[metric] = {
            "values": values,
            "mean": mean,
            "spread": spread,
            "low": None if half is None or mean is None else mean - half,
            "high": None if half is None or mean is None else mean + half,
        }
    return found
