"""From predictions to scores: imputation, coverage, intervals, and differences between models."""

from __future__ import annotations

import numpy as np
from pydantic import BaseModel

from .bootstrap import RESAMPLES, interval, resample
from .metrics import Kind, Metric, Sample, metrics_for

# Below this share of usable predictions a row is shown but not ranked.
COVERAGE_THRESHOLD = 0.95
_LARGEST = 1e100
# Equal predictions differ by rounding; that is not a difference.
_ROUNDING = 1e-9


class Score(BaseModel):
    """One metric: its mean over seeds, its sampling interval, and its spread over seeds; None where undefined."""

    value: float | None
    low: float | None
    high: float | None
    seed_std: float | None


class Scores(BaseModel):
    """The metrics of one split; `scores["rmse"]` is one of them.

    Intervals are 95 % percentile bootstrap over samples (over clusters where samples share a group).

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
        return self.metrics[name]


class Difference(BaseModel):
    """First minus second in one metric, with its 95 % paired bootstrap interval; None where undefined."""

    value: float | None
    low: float | None
    high: float | None

    @property
    def separates(self) -> bool:
        """Whether the interval excludes zero."""
        return self.low is not None and self.high is not None and (self.low > 0 or self.high < 0)


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
) -> Sample:
    """Replace predictions that cannot be scored by the baseline, and count them.

    Args:
        target: shape (n,).
        prediction: shape (seeds, n); NaN for a failed one.
        baseline: mean training target behind each prediction, shape (seeds, n).
        clusters: shape (n,).
        scale: range of the training targets.
        kind: kind of the target.
    """
    good = usable(prediction, kind)
    return Sample(target, np.where(good, prediction, baseline), baseline, clusters, scale, float(good.mean()), kind)


def score(sample: Sample, resamples: int = RESAMPLES, seed: int = 0) -> Scores:
    """Score predictions by every metric that fits, with intervals.

    Args:
        sample: predictions and targets.
        resamples: bootstrap resamples.
        seed: seed of the bootstrap.
    """
    metrics = metrics_for(sample.kind)
    draws = resample(sample, metrics, resamples, seed)
    return Scores(
        n=len(sample.target),
        clusters=len(np.unique(sample.clusters)),
        coverage=sample.coverage,
        metrics={name: _score(metric.values(sample), draws[name]) for name, metric in metrics.items()},
    )


def mean_value(metric: Metric, sample: Sample) -> float:
    """A metric's mean over seeds; NaN where it is undefined."""
    return float(np.mean(metric.values(sample)))


def mean_draws(metric: Metric, sample: Sample, resamples: int = RESAMPLES, seed: int = 0) -> np.ndarray:
    """A metric's mean over seeds on each bootstrap resample, shape (resamples,)."""
    return resample(sample, {metric.name: metric}, resamples, seed)[metric.name].mean(axis=0)


def differences(first: Sample, second: Sample) -> dict[str, Difference]:
    """Paired differences, first minus second, by metric; both samples hold the same rows in the same order."""
    metrics = metrics_for(first.kind)
    one, two = resample(first, metrics), resample(second, metrics)
    return {
        name: difference(
            mean_value(metric, first), mean_value(metric, second), one[name].mean(axis=0), two[name].mean(axis=0)
        )
        for name, metric in metrics.items()
    }


def difference(first: float, second: float, first_draws: np.ndarray, second_draws: np.ndarray) -> Difference:
    """The difference of two values with the interval of its draws, shape (resamples,) each."""
    gap = first_draws - second_draws
    gap = np.where(np.abs(gap) <= _ROUNDING * np.abs(first_draws), 0.0, gap)
    bounds = interval(gap)
    if bounds is None or not np.isfinite([first, second]).all():
        return Difference(value=None, low=None, high=None)
    return Difference(value=first - second, low=bounds[0], high=bounds[1])


def _score(per_seed: np.ndarray, draws: np.ndarray) -> Score:
    low, high = interval(draws.mean(axis=0)) or (None, None)
    spread = float(per_seed.std(ddof=1)) if len(per_seed) > 1 else None
    return Score(value=_known(float(per_seed.mean())), low=low, high=high, seed_std=_known(spread))


def _known(value: float | None) -> float | None:
    return value if value is not None and np.isfinite(value) else None
