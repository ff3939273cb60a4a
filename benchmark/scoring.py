"""From predictions to scores: coverage, imputation, intervals."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from pydantic import BaseModel

from .bootstrap import RESAMPLES, interval, resampled_metrics
from .metrics import METRICS, metrics

# Below this share of usable predictions a row is shown but not ranked.
COVERAGE_THRESHOLD = 0.95
_LARGEST = 1e100


class Score(BaseModel):
    """One metric: its mean over seeds, its sampling interval, and its spread over seeds; None where undefined."""

    value: float | None
    low: float | None
    high: float | None
    seed_std: float | None


class Scores(BaseModel):
    """The metrics of one split.

    `skill` is 1 - RMSE / RMSE of the training mean; `rmse_over_range` is RMSE over the range of the training
    targets. Intervals are 95 % percentile bootstrap over samples (over clusters where samples share a group).
    """

    n: int
    clusters: int
    coverage: float
    rmse: Score
    r2: Score
    mae: Score
    skill: Score
    rmse_over_range: Score


SCORE_NAMES = ("rmse", "r2", "mae", "skill", "rmse_over_range")  # the fields of `Scores` that are a `Score`


@dataclass(frozen=True)
class Scored:
    """Predictions beside what they are scored against.

    Attributes:
        target: shape (n,).
        prediction: shape (seeds, n); failed ones replaced by the training mean.
        train_mean: mean target of the training rows each sample was predicted from, shape (seeds, n).
        clusters: cluster label, shape (n,).
        coverage: share of usable predictions.
    """

    target: np.ndarray
    prediction: np.ndarray
    train_mean: np.ndarray
    clusters: np.ndarray
    coverage: float


def usable(prediction: np.ndarray) -> np.ndarray:
    """Which predictions can be scored: finite, and small enough to be squared."""
    return np.abs(prediction) < _LARGEST


def impute(target: np.ndarray, prediction: np.ndarray, train_mean: np.ndarray, clusters: np.ndarray) -> Scored:
    """Replace predictions that cannot be scored by the training mean, and count them.

    Args:
        target: shape (n,).
        prediction: shape (seeds, n).
        train_mean: shape (seeds, n).
        clusters: shape (n,).
    """
    good = usable(prediction)
    return Scored(target, np.where(good, prediction, train_mean), train_mean, clusters, float(good.mean()))


def score(scored: Scored, train_range: float, resamples: int = RESAMPLES, seed: int = 0) -> Scores:
    """Score predictions against targets, with intervals.

    Args:
        scored: predictions and targets.
        train_range: maximum minus minimum of the training targets.
        resamples: bootstrap resamples.
        seed: seed of the bootstrap.
    """
    seeds = len(scored.prediction)
    both = np.concatenate([scored.prediction, scored.train_mean])
    values = _derived(metrics(scored.target, both), seeds, train_range)
    draws = _derived(resampled_metrics(scored.target, both, scored.clusters, resamples, seed), seeds, train_range)
    fields = {}
    for name, per_seed in values.items():
        low, high = interval(draws[name].mean(axis=0)) or (None, None)
        spread = float(per_seed.std(ddof=1)) if seeds > 1 else None
        fields[name] = Score(value=_known(float(per_seed.mean())), low=low, high=high, seed_std=_known(spread))
    return Scores(n=len(scored.target), clusters=len(np.unique(scored.clusters)), coverage=scored.coverage, **fields)


def _derived(values: dict[str, np.ndarray], seeds: int, train_range: float) -> dict[str, np.ndarray]:
    """Metrics of the model's rows, with those that need the floor's rows or the target's range."""
    own = {name: values[name][:seeds] for name in METRICS}
    with np.errstate(divide="ignore", invalid="ignore"):
        own["skill"] = 1 - own["rmse"] / values["rmse"][seeds:]
        own["rmse_over_range"] = own["rmse"] / train_range
    return {name: np.where(np.isinf(value), np.nan, value) for name, value in own.items()}


def _known(value: float | None) -> float | None:
    return None if value is None or np.isnan(value) else value
