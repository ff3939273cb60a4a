"""From predictions to scores: imputation, coverage, intervals."""

from __future__ import annotations

import numpy as np
from pydantic import BaseModel

from .bootstrap import RESAMPLES, Interval, intervals
from .metrics import METRICS, Kind, Metric, Sample, metrics_for

# Below this share of usable predictions a row is shown but not ranked.
COVERAGE_THRESHOLD = 0.95
_LARGEST = 1e100


class Score(BaseModel):
    """One metric: its mean over seeds, its sampling interval, and its spread over seeds; None where undefined."""

    value: float | None
    low: float | None
    high: float | None
    seed_std: float | None


UNDEFINED = Score(value=None, low=None, high=None, seed_std=None)


class Scores(BaseModel):
    """The metrics of one split; `scores["rmse"]` is one of them, undefined where it does not apply.

    Intervals are 95 % bootstrap over samples (over clusters where samples share a group).

    Attributes:
        n: rows.
        clusters: groups of rows.
        coverage: share of predictions that could be scored.
        metrics: by name, every registered metric that fits the kind of the target.
    """

    n: int
    clusters: int
    coverage: float
    metrics: dict[str, Score]

    def __getitem__(self, name: str) -> Score:
        if name not in self.metrics and name in METRICS:
            return UNDEFINED
        return self.metrics[name]


def usable(prediction: np.ndarray, kind: Kind = "regression") -> np.ndarray:
    """Which predictions can be scored: finite and small enough to be squared; for classification, probabilities."""
    if kind == "classification":
        return (prediction >= 0) & (prediction <= 1)
    return np.abs(prediction) < _LARGEST


def make_sample(
    target: np.ndarray,
    prediction: np.ndarray,
    baseline: np.ndarray,
    clusters: np.ndarray,
    scale: float = 1.0,
    kind: Kind = "regression",
    deviation: np.ndarray | None = None,
) -> Sample:
    """Replace predictions that cannot be scored by the baseline, and count them.

    Args:
        target: shape (n,).
        prediction: shape (seeds, n); NaN for a failed one.
        baseline: mean training target behind each prediction, shape (seeds, n).
        clusters: shape (n,).
        scale: range of the training targets.
        kind: kind of the target.
        deviation: stated standard deviations, shape (seeds, n); one that is missing, or that of a failed prediction,
            becomes that of a target anywhere in the range.
    """
    good = usable(prediction, kind)
    if deviation is not None:
        stated = good & np.isfinite(deviation) & (deviation >= 0)
        deviation = np.where(stated, deviation, scale / np.sqrt(12)) if stated.any() else None
    filled = np.where(good, prediction, baseline)
    return Sample(target, filled, baseline, clusters, scale, float(good.mean()), kind, deviation)


def score(sample: Sample, resamples: int = RESAMPLES, seed: int = 0) -> Scores:
    """Score predictions by every metric that fits, with intervals.

    Args:
        sample: predictions and targets.
        resamples: bootstrap resamples.
        seed: seed of the bootstrap.
    """
    metrics = metrics_for(sample.kind, sample.deviation is not None)
    bounds = intervals(sample, metrics, resamples, seed)
    return Scores(
        n=len(sample.target),
        clusters=len(np.unique(sample.clusters)),
        coverage=sample.coverage,
        metrics={name: _score(metric.values(sample), bounds[name]) for name, metric in metrics.items()},
    )


def mean_value(metric: Metric, sample: Sample) -> float:
    """A metric's mean over seeds; NaN where it is undefined."""
    return float(np.mean(metric.values(sample)))


def _score(per_seed: np.ndarray, bounds: Interval) -> Score:
    low, high = bounds or (None, None)
    spread = float(per_seed.std(ddof=1)) if len(per_seed) > 1 else None
    return Score(value=_known(float(per_seed.mean())), low=low, high=high, seed_std=_known(spread))


def _known(value: float | None) -> float | None:
    return value if value is not None and np.isfinite(value) else None
