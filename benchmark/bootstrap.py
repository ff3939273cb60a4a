"""Bootstrap over samples: intervals for metrics, and for differences between models on the same samples.

Resamples draw whole clusters where samples are not independent (Efron and Tibshirani, 1993, ch. 6 and 8; Cameron,
Gelbach and Miller, Rev. Econ. Stat. 90, 414 (2008)). Intervals are percentiles. The seed is explicit.
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


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Keep matrix products on one thread: threads of many small ones wait for each other more than they work."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1, user_api="blas"):
        yield


def resample(
    sample: Sample, metrics: Mapping[str, Metric], resamples: int = RESAMPLES, seed: int = 0
) -> dict[str, np.ndarray]:
    """Metrics of bootstrap resamples. Samples with the same clusters see the same resamples.

    Args:
        sample: targets and predictions; whole clusters are drawn.
        metrics: what is computed, by name.
        resamples: how many.
        seed: seed of the resampling.

    Returns:
        By metric, shape (m, resamples); NaN where there is one cluster only, which resampling cannot vary.
    """
    names, cluster = np.unique(sample.clusters, return_inverse=True)
    if len(names) == 1:
        return {name: np.full((len(sample.prediction), resamples), np.nan) for name in metrics}
    parts: dict[str, list[np.ndarray]] = {name: [] for name in metrics}
    for drawn in _counts(len(names), resamples, seed):
        counts = drawn[:, cluster]
        for name, metric in metrics.items():
            parts[name].append(metric.on_resamples(sample, counts))
    return {name: np.concatenate(values, axis=1) for name, values in parts.items()}


def interval(values: np.ndarray, level: float = LEVEL) -> tuple[float, float] | None:
    """The central percentile interval of resampled values, shape (resamples,); None where the metric is undefined in
    more than one per cent of the resamples."""
    undefined = ~np.isfinite(values)
    if undefined.mean() > 0.01:
        return None
    tail = (1 - level) / 2
    low, high = np.quantile(values[~undefined], [tail, 1 - tail])
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
