"""Bootstrap over samples: intervals for metrics, and for differences between models on the same samples.

Resamples draw whole clusters where samples are not independent (Efron and Tibshirani, 1993, ch. 6 and 8; Cameron,
Gelbach and Miller, Rev. Econ. Stat. 90, 414 (2008)). Intervals are percentiles. The seed is explicit.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from functools import lru_cache

import numpy as np

from .metrics import METRICS, from_sums, terms

RESAMPLES = 10_000
LEVEL = 0.95
_CELLS_AT_ONCE = 2**20  # counts made at a time: 8 MB


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Keep matrix products on one thread: for many small ones, threads wait for each other more than they work."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1, user_api="blas"):
        yield


def resampled_metrics(
    target: np.ndarray,
    prediction: np.ndarray,
    clusters: np.ndarray | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> dict[str, np.ndarray]:
    """Metrics of bootstrap resamples; every row of `prediction` sees the same resamples.

    Args:
        target: shape (n,).
        prediction: shape (m, n), one row per model or seed.
        clusters: label of each sample's cluster, shape (n,); by default each sample is its own.
        resamples: how many.
        seed: seed of the resampling.

    Returns:
        `rmse`, `r2` and `mae`, each of shape (m, resamples).
    """
    per_cluster = _cluster_sums(terms(target, np.atleast_2d(prediction)), clusters)
    models, groups, moments = per_cluster.shape
    flat = per_cluster.transpose(1, 0, 2).reshape(groups, models * moments)
    parts = [counts @ flat for counts in _counts(groups, resamples, seed)]
    return from_sums(np.concatenate(parts).reshape(resamples, models, moments).transpose(1, 0, 2))


def interval(values: np.ndarray, level: float = LEVEL) -> tuple[float, float] | None:
    """The central percentile interval of resampled values, shape (resamples,); None where the metric is
    undefined in more than a hundredth of the resamples."""
    undefined = np.isnan(values)
    if undefined.mean() > 0.01:
        return None
    tail = (1 - level) / 2
    low, high = np.quantile(values[~undefined], [tail, 1 - tail])
    return float(low), float(high)


def paired_differences(
    target: np.ndarray,
    first: np.ndarray,
    second: np.ndarray,
    clusters: np.ndarray | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> dict[str, np.ndarray]:
    """Resampled differences, first minus second, of metrics averaged over each model's seeds.

    Args:
        target: shape (n,).
        first: shape (seeds of the first model, n).
        second: shape (seeds of the second model, n).
        clusters: as in `resampled_metrics`.
        resamples: how many.
        seed: seed of the resampling.

    Returns:
        `rmse`, `r2` and `mae` differences, each of shape (resamples,).
    """
    values = resampled_metrics(target, np.concatenate([first, second]), clusters, resamples, seed)
    differences = {}
    for name in METRICS:
        one, two = values[name][: len(first)].mean(0), values[name][len(first) :].mean(0)
        # Equal predictions differ by rounding; that is no difference.
        differences[name] = np.where(np.abs(one - two) <= 1e-9 * np.abs(one), 0.0, one - two)
    return differences


def _cluster_sums(samples: np.ndarray, clusters: np.ndarray | None) -> np.ndarray:
    if clusters is None:
        return samples
    order = np.argsort(clusters, kind="stable")
    sorted_clusters = np.asarray(clusters)[order]
    starts = np.flatnonzero(np.r_[True, sorted_clusters[1:] != sorted_clusters[:-1]])
    return np.add.reduceat(samples[:, order], starts, axis=1)


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
