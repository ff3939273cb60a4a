"""Bootstrap over samples: 95 % intervals of metrics.

Resamples draw whole clusters where samples are not independent (Cameron, Gelbach and Miller, Rev. Econ. Stat. 90, 414
(2008)). A metric of a mean loss gets a bootstrap-t interval (Efron and Tibshirani, An Introduction to the Bootstrap,
1993, ch. 12): its distance from the perfect value, as a logarithm, is studentised in each resample by the delta
method. On few samples that covers the truth more often than percentiles, which are for the other metrics. The seed is
explicit.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache

import numpy as np

from .metrics import Metric, Sample

RESAMPLES = 10_000
LEVEL = 0.95
_CELLS_AT_ONCE = 2**20  # counts made at a time: 8 MB
_UNDEFINED = 0.01  # the largest share of resamples in which a metric may be undefined
# A resample that misses the few rows which decide a score knows no better than this share of the whole sample's error.
_LEAST_ERROR = 0.5
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
    sums = _Sums(sample, cluster)
    means = {name: _Means(metric, sums) for name, metric in metrics.items() if metric.loss is not None}
    own, drawn = sums.of(np.ones((1, len(names)))), [sums.of(counts) for counts in draws] if means else []
    by_row = [counts[:, cluster] for counts in draws] if len(means) < len(metrics) else []
    for name, metric in metrics.items():
        value = float(np.mean(metric.values(sample)))
        if name in means:
            found[name] = _studentised(means[name], value, own, drawn)
        else:
            values = [metric.on_resamples(sample, counts).mean(axis=0) for counts in by_row]
            found[name] = _central(np.concatenate(values), LEVEL)
    return found


def _studentised(means: _Means, value: float, own: np.ndarray, drawn: Sequence[np.ndarray]) -> Interval:
    """The bootstrap-t interval of a metric of a mean loss, from the sums of all rows and those of resamples."""
    distance, error = means.log_distance(own)
    if np.isneginf(distance[0]) or error[0] <= _STEP**2:
        return value, value  # perfect, or the same whatever is drawn
    pairs = [means.log_distance(sums) for sums in drawn]
    with np.errstate(divide="ignore", invalid="ignore"):
        pivots = np.concatenate([(far - distance) / np.maximum(errors, _LEAST_ERROR * error) for far, errors in pairs])
    ends = _central(pivots, LEVEL)
    if ends is None or not np.isfinite(value):
        return None
    best = float(means.perfect(own)[0])
    bounds = [best + (value - best) * float(np.exp(-end * error[0])) for end in ends]
    return (min(bounds), max(bounds)) if np.isfinite(bounds).all() else None


class _Sums:
    """Sums over resamples of clusters, of whatever metrics ask for; what several ask for is made once."""

    def __init__(self, sample: Sample, cluster: np.ndarray) -> None:
        self.sample = sample
        self._cluster = cluster
        self._columns: dict[object, int] = {}
        self._features: list[np.ndarray] = []
        self.size = self.of_rows("size", np.ones(len(sample.target)))

    def of_rows(self, key: object, rows: np.ndarray) -> int:
        """The number of the sum of some rows, shape (n,)."""
        return self._kept(key, lambda: np.bincount(self._cluster, rows))

    def of_product(self, one: int, other: int) -> int:
        """The number of the sum of products of two clusters' sums."""
        return self._kept(tuple(sorted((one, other))), lambda: self._features[one] * self._features[other])

    def of(self, counts: np.ndarray) -> np.ndarray:
        """All sums on resamples, shape (sums, b); `counts` has the shape (b, clusters)."""
        return np.stack(self._features) @ counts.T

    def _kept(self, key: object, make: Callable[[], np.ndarray]) -> int:
        if key not in self._columns:
            self._columns[key] = len(self._features)
            self._features.append(make())
        return self._columns[key]


class _Means:
    """The means that a metric follows from (seeds averaged), and their covariance on a resample of clusters."""

    def __init__(self, metric: Metric, sums: _Sums) -> None:
        self._metric = metric
        rows = [one.mean(axis=0) for one in metric.rows(sums.sample)]
        self._spreads = [float(one.std()) for one in rows]
        keys = [metric.loss, *((metric.others, k) for k in range(1, len(rows)))]
        kept = [*(sums.of_rows(key, one) for key, one in zip(keys, rows, strict=True)), sums.size]
        self._sums = kept
        self._products = {
            (i, j): sums.of_product(kept[i], kept[j]) for i in range(len(kept)) for j in range(i, len(kept))
        }

    def log_distance(self, sums: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Log of the distance from the perfect value, and its standard error by the delta method, shape (b,) each.

        Args:
            sums: as `_Sums.of` gives them, shape (sums, b).
        """
        *wanted, size = self._sums
        means = [sums[k] / sums[size] for k in wanted]
        gradient = self._gradient(means)
        # What a cluster adds: gradient . (its sums - means * its size).
        slopes = [*gradient, -sum(slope * mean for slope, mean in zip(gradient, means, strict=True))]
        variance = np.zeros(sums.shape[1])
        for (i, j), product in self._products.items():
            variance += (1 if i == j else 2) * slopes[i] * slopes[j] * sums[product]
        return self._distance(means), np.sqrt(np.maximum(variance, 0)) / sums[size]

    def perfect(self, sums: np.ndarray) -> np.ndarray:
        """The metric of a model without any loss, shape (b,)."""
        _, *others, size = self._sums
        return self._metric.of_means(np.zeros(sums.shape[1]), *(sums[k] / sums[size] for k in others))

    def _distance(self, means: Sequence[np.ndarray]) -> np.ndarray:
        loss, *others = means
        with np.errstate(divide="ignore", invalid="ignore"):
            perfect = self._metric.of_means(np.zeros_like(loss), *others)
            return np.log(np.abs(self._metric.of_means(*means) - perfect))

    def _gradient(self, means: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Of the log distance, by each mean."""
        slopes = []
        for k, spread in enumerate(self._spreads):
            # A loss stays positive; a mean of something else may be zero.
            step = _STEP * (means[0] if k == 0 else np.full_like(means[k], spread))
            if spread == 0:
                slopes.append(np.zeros_like(step))
                continue
            up, down = list(means), list(means)
            up[k], down[k] = means[k] + step, means[k] - step
            with np.errstate(divide="ignore", invalid="ignore"):  # a perfect model has no slope
                slopes.append((self._distance(up) - self._distance(down)) / (2 * step))
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
