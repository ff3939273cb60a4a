"""How much a score moves when only a seed or one parameter changes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .scoring import Scores


def summarize(scores: Sequence[Scores]) -> dict[str, dict[str, float | list[float | None] | None]]:
    """Values of the runs by metric, their mean, standard deviation, and the 95 % interval of the mean (Student's t).

    Args:
        scores: of one split of each run, at least one.

    Returns:
        By metric: `values`, `mean`, `spread`, `low`, `high`; None where undefined.
    """
    from scipy.stats import t

    found: dict[str, dict[str, float | list[float | None] | None]] = {}
    for metric in scores[0].metrics:
        values = [one[metric].value for one in scores]
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
