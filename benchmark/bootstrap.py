"""Bootstrap over samples: 95 % intervals of metrics.

Resamples draw whole clusters where samples are not independent (Cameron, Gelbach and Miller, Rev. Econ. Stat. 90, 414
(2008)). A metric of a mean loss gets a bootstrap-t interval (Efron and Tibshirani, An Introduction to the Bootstrap,
1993, ch. 12): its distance from the perfect value, as a logarithm, is studentised in each resample by the delta
method. On few samples that covers the truth more often than percentiles, which are for the other metrics. The seed is
explicit.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from functools import lru_cache

import numpy as np

from .metrics import Metric, Sample

RESAMPLES = 10_000
LEVEL = 0.95
_CELLS_AT_ONCE = 2**20  # counts made at a time: 8 MB
_UNDEFINED = 0.01  # the largest share of resamples in which a metric may be undefined
_STEP = 1e-4  # of a numerical derivative, relative

Interval = tuple[float, float] | None


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Keep matrix products on one thread: threads of many small ones wait for each other more than they work."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1, user_api="blas"):
        yield


def intervals(
    sample: Sample, metrics: Mapping[str, Metric], resamples: int = RESAMPLES, seed: int = 0
) -> dict[str, Interval]:
    """The interval of each metric's mean over seeds; None where it is undefined in more than one per cent of the
    resamples, or where there is one cluster only, which resampling cannot vary.

    Args:
        sample: targets and predictions; whole clusters are drawn, the same ones for all samples with these clusters.
        metrics: by name.
        resamples: how many.
        seed: seed of the resampling.
    """
    names, cluster = np.unique(sample.clusters, return_inverse=True)
    if len(names) == 1:
        return dict.fromkeys(metrics)
    draws = list(_counts(len(names), resamples, seed))
    found: dict[str, Interval] = {}
    for name, metric in metrics.items():
        if metric.loss is not None:
            found[name] = _studentised(metric, sample, cluster, draws)
        else:
            drawn = [metric.on_resamples(sample, counts[:, cluster]).mean(axis=0) for counts in draws]
            found[name] = _central(np.concatenate(drawn), LEVEL)
    return found


def _studentised(metric: Metric, sample: Sample, cluster: np.ndarray, draws: list[np.ndarray]) -> Interval:
    """The bootstrap-t interval of a metric of a mean loss."""
    value = float(np.mean(metric.values(sample)))
    means = _Means(metric, sample, cluster)
    own, error = means.log_distance(np.ones((1, means.clusters)))
    if np.isneginf(own[0]) or error[0] <= _STEP**2:
        return value, value  # perfect, or the same whatever is drawn
    drawn = [means.log_distance(counts) for counts in draws]
    with np.errstate(divide="ignore", invalid="ignore"):
        pivots = np.concatenate([(distances - own) / errors for distances, errors in drawn])
    ends = _central(pivots, LEVEL)
    if ends is None or not np.isfinite(value):
        return None
    far, near = (abs(value - metric.best) * np.exp(-end * error[0]) for end in ends)
    bounds = metric.best + near * _away(metric), metric.best + far * _away(metric)
    return (float(min(bounds)), float(max(bounds))) if np.isfinite(bounds).all() else None


def _away(metric: Metric) -> int:
    """The sign of what is worse than the best value."""
    return 1 if metric.direction == "lower" else -1


class _Means:
    """The means that a metric follows from (seeds averaged), on resamples of clusters, with their covariance."""

    def __init__(self, metric: Metric, sample: Sample, cluster: np.ndarray) -> None:
        self._metric = metric
        rows = np.stack([one.mean(axis=0) for one in metric.rows(sample)])  # (k, n)
        self._spreads = rows.std(axis=1)
        size = np.bincount(cluster).astype(float)
        self._sums = [np.bincount(cluster, one) for one in rows]
        self._pairs = np.triu_indices(len(rows), 1)
        kept = [*self._sums, size]
        products = [kept[i] * kept[j] for i, j in zip(*np.triu_indices(len(kept)), strict=True)]
        self._features = np.stack([*kept, *products], axis=1)  # (clusters, features)
        self.clusters = len(size)

    def log_distance(self, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Log of the distance from the perfect value on each resample, and its standard error, shape (b,) each."""
        count = len(self._sums) + 1
        sums = (counts @ self._features).T
        total, products = sums[count - 1], np.empty((count, count, len(counts)))
        products[np.triu_indices(count)] = sums[count:]
        means = sums[: count - 1] / total
        gradient = self._gradient(means)
        # What a cluster adds: gradient . (its sums - means * its size).
        slopes = np.concatenate([gradient, -(gradient * means).sum(axis=0)[None]])
        variance = np.zeros(len(counts))
        for i in range(count):
            for j in range(i, count):
                variance += (1 if i == j else 2) * slopes[i] * slopes[j] * products[i, j]
        return self._distance(means), np.sqrt(np.maximum(variance, 0)) / total

    def _distance(self, means: np.ndarray) -> np.ndarray:
        with np.errstate(divide="ignore"):
            return np.log(np.abs(self._metric.of_means(*means) - self._metric.best))

    def _gradient(self, means: np.ndarray) -> np.ndarray:
        slopes = np.zeros_like(means)
        for k, spread in enumerate(self._spreads):
            # A loss stays positive; a mean of something else may be zero.
            step = _STEP * (means[0] if k == 0 else np.full(means.shape[1], spread))
            if spread > 0:
                moved = np.zeros_like(means)
                moved[k] = step
                with np.errstate(divide="ignore", invalid="ignore"):
                    slopes[k] = (self._distance(means + moved) - self._distance(means - moved)) / (2 * step)
        return slopes


def _central(values: np.ndarray, level: float) -> Interval:
    """The central interval of values, shape (resamples,)."""
    undefined = np.isnan(values)
    if undefined.mean() > _UNDEFINED:
        return None
    tail = (1 - level) / 2
    low, high = np.quantile(values[~undefined], [tail, 1 - tail], method="nearest")  # some may be infinite
    return float(low), float(high)


def _counts(groups: int, resamples: int, seed: int) -> Iterator[np.ndarray]:
    """How often each of `groups` is drawn, in chunks of shape (some resamples, groups)."""
    rows = max(1, _CELLS_AT_ONCE // groups)
    for chunk, start in enumerate(range(0, resamples, rows)):
        yield _chunk_of_counts(groups, min(rows, resamples - start), seed, chunk)


@lru_cache(maxsize=8)  # every model on a task is scored on the same resamples
def _chunk_of_counts(groups: int, rows: int, seed: int, chunk: int) -> np.ndarray:
    generator = np.random.default_rng([seed, chunk])
    dtype = np.uint16 if groups <= 65536 else np.uint32  # narrower is slower to draw
    drawn = generator.integers(0, groups, size=(rows, groups), dtype=dtype)
    index = drawn + np.arange(0, rows * groups, groups)[:, None]
    counts = np.bincount(index.ravel(), minlength=rows * groups).reshape(rows, groups).astype(float)
    counts.flags.writeable = False
    return counts
