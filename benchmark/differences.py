"""Differences between two models on the same rows, with intervals and p-values of the cluster sign-flip test."""

from __future__ import annotations

import numpy as np
from pydantic import BaseModel

from .metrics import Metric, Sample, metrics_for
from .scoring import mean_value
from .signflip import ALPHA, PairDifference, pair_difference, sign_flip_test

# Equal predictions differ by rounding; that is not a difference.
_ROUNDING = 1e-9


class Difference(BaseModel):
    """First minus second in one metric; None where undefined.

    Attributes:
        value: the difference.
        low: lower end of the differences that the cluster sign-flip test does not reject at 5 %.
        high: upper end of them.
        p_value: of that test, two-sided, of this comparison alone.
    """

    value: float | None
    low: float | None
    high: float | None
    p_value: float | None = None

    @property
    def separates(self) -> bool:
        """Whether the test tells the two apart at 5 %."""
        return self.p_value is not None and self.p_value < ALPHA


def differences(first: Sample, second: Sample) -> dict[str, Difference]:
    """Paired differences, first minus second, by metric; both samples hold the same rows in the same order."""
    both_state = first.deviation is not None and second.deviation is not None
    return {
        name: PairedLoss(metric, first).minus(PairedLoss(metric, second))
        for name, metric in metrics_for(first.kind, both_state).items()
    }


class PairedLoss:
    """What a model lost on each cluster, for comparison with others on the same rows.

    For a metric without a loss these are jackknife pseudo-values, whose mean is the metric (Efron and Tibshirani, An
    Introduction to the Bootstrap, 1993, ch. 11), with the sign of a loss.

    Attributes:
        by_cluster: the sum over each cluster, mean over seeds, shape (clusters,).
        value: the metric, mean over seeds.
        rows: what `by_cluster` is divided by for the mean loss.
        mean: the mean loss.
    """

    def __init__(self, metric: Metric, sample: Sample) -> None:
        self._metric = metric
        self.value = mean_value(metric, sample)
        names, cluster = np.unique(sample.clusters, return_inverse=True)
        if metric.loss is not None:
            loss, *others = (rows.mean(axis=0) for rows in metric.rows(sample))
            self.by_cluster, self.rows = np.bincount(cluster, loss), len(loss)
            self._others = [rows.mean() for rows in others]
        else:
            self.by_cluster, self.rows = _pseudo_values(metric, sample, cluster, self.value), len(names)
        self.mean = float(self.by_cluster.sum()) / self.rows
        self._samples = len(sample.target)

    def minus(self, other: PairedLoss) -> Difference:
        """The difference in the metric to another model, with the interval and the p-value of a single comparison."""
        value, pair = self.value - other.value, self._paired(other)
        if not np.isfinite([value, pair.error]).all():
            return Difference(value=None, low=None, high=None)
        found = sign_flip_test(np.stack([self.by_cluster, other.by_cluster]))
        ends = [self._in_metric(other, gap) for gap in pair.interval(found.critical)]
        agrees = pair.mean * value * (1 if self._metric.direction == "lower" else -1) > 0
        value = value if abs(value) > _ROUNDING * abs(self.value) else 0.0
        p_value = found.p_value(0, 1) if agrees else 1.0
        return Difference(value=value, low=min(ends), high=max(ends), p_value=p_value)

    def at(self, mean: np.ndarray) -> np.ndarray:
        """The metric where the mean loss is another one, of the shape of `mean`."""
        if self._metric.loss is None:
            return mean if self._metric.direction == "lower" else -mean
        return self._metric.of_means(np.maximum(mean, 0.0), *self._others)

    def detectable(self, worse: PairedLoss, critical: float) -> tuple[float, float]:
        """The smallest difference to a worse model that is found with a power of 80 %: in the metric, and over the
        value of this model (NaN where the metric is no error)."""
        gap = self._paired(worse).detectable(critical)
        now, then = self.at(self.mean + np.array([0.0, gap]))
        is_error = self._metric.loss is not None and self._metric.direction == "lower" and now > 0
        return float(abs(then - now)), float((then - now) / now) if is_error else np.nan

    def samples_to_separate(self, worse: PairedLoss, critical: float) -> int | None:
        """How many samples it would take to find the observed difference with a power of 80 %."""
        pair = self._paired(worse)
        if pair.mean == 0 or pair.error == 0:
            return None
        return int(np.ceil(self._samples * (pair.detectable(critical) / pair.mean) ** 2))

    def _paired(self, other: PairedLoss) -> PairDifference:
        return pair_difference(self.by_cluster, other.by_cluster, self.rows)

    def _in_metric(self, other: PairedLoss, gap: float) -> float:
        """A difference of mean losses as one of the metric, about the mean of both."""
        one, two = self.at((self.mean + other.mean + np.array([gap, -gap])) / 2)
        return float(one - two)


def _pseudo_values(metric: Metric, sample: Sample, cluster: np.ndarray, value: float) -> np.ndarray:
    count = int(cluster.max()) + 1
    without = 1.0 - np.eye(count)[:, cluster]
    left = metric.on_resamples(sample, without).mean(axis=0) if count > 1 else np.full(1, np.nan)
    pseudo = count * value - (count - 1) * left
    return np.nan_to_num(pseudo if metric.direction == "lower" else -pseudo, posinf=0.0, neginf=0.0)
