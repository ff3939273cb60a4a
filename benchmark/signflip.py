"""The cluster sign-flip test: which of many models differ in their mean loss on the same samples. Arrays in and out.

For each pair of models the differences of their losses are summed over each cluster. Where two models are equally
good, a sum is as likely to have one sign as the other, so the studentised mean of the sums is compared with those of
random signs, which are flipped for all pairs together. P-values are corrected for the number of pairs by stepping
down over the maximum (Westfall and Young, Resampling-Based Multiple Testing, 1993; Romano and Wolf, J. Am. Stat.
Assoc. 100, 94 (2005)): models that are alike cost little. Models of which one has the rarer and larger errors have
skewed differences, so Student's t is transformed to remove its skewness (Hall, J. R. Stat. Soc. B 54, 221 (1992)). In
cross-validation training sets overlap; Bayle, Bayle, Janson and Mackey (NeurIPS 2020) show when a test per sample
holds there, too.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

FLIPS = 10_000
ALPHA = 0.05
POWER = 0.8
_FEWEST = 1_000
_MOST_STATISTICS = 5 * 10**8  # very large tables are flipped less often
_AT_ONCE = 2**18  # numbers made at a time
# A difference smaller than this share of the losses is rounding, and so is one of statistics that are made in float32.
_ROUNDING, _ROUNDING32 = 1e-9, 1e-4
_LEAST_VARIANCE = 1e-6  # of differences with a mean square of 1


@dataclass(frozen=True)
class SignFlips:
    """What the test says of all pairs.

    Attributes:
        p_values: two-sided, corrected for the number of pairs, shape (m, m); 1 on the diagonal.
        critical: what the largest statistic of all pairs exceeds in five per cent of the flips.
        flips: how many flips were made.
    """

    p_values: np.ndarray
    critical: float
    flips: int

    def p_value(self, one: int, other: int) -> float:
        """The p-value of a pair, as the share of flips that it is: in memory they are float32."""
        return round(float(self.p_values[one, other]) * self.flips) / self.flips


@dataclass(frozen=True)
class PairDifference:
    """The mean loss of one model minus that of another.

    Attributes:
        mean: the difference.
        error: its standard error, clusters being independent.
        skewness: that of the clusters' differences over the root of their number.
    """

    mean: float
    error: float
    skewness: float

    @property
    def statistic(self) -> float:
        """Student's t, transformed; negative where the first is better."""
        return float(_hall(np.divide(self.mean, self.error), self.skewness)) if self.error else 0.0

    def interval(self, critical: float) -> tuple[float, float]:
        """The differences that a test with a critical value does not reject."""
        ends = (self.mean - self.error * _inverse_hall(c, self.skewness) for c in (critical, -critical))
        low, high = sorted(ends)
        return low, high

    def detectable(self, critical: float) -> float:
        """The difference that a test with a critical value finds with a power of 80 %."""
        from scipy.special import ndtri

        return float((critical + ndtri(POWER)) * self.error)


def sign_flip_test(losses: np.ndarray, flips: int = FLIPS, seed: int = 0) -> SignFlips:
    """Compare all pairs of models.

    Args:
        losses: the loss of each model summed over each cluster, shape (m, clusters).
        flips: how many sign flips; all of them where there are fewer, and not so many on very large tables.
        seed: seed of the flips.
    """
    models, clusters = losses.shape
    losses = losses / (np.abs(losses).max(initial=0) or 1.0)
    one, other = (index.astype(np.int32) for index in np.triu_indices(models, 1))
    made = min(flips, max(_FEWEST, _MOST_STATISTICS // max(1, len(one))))
    signs = _signs(clusters, made, seed)
    observed = np.concatenate(
        [_statistics(_scaled(losses, one[part], other[part]), signs[:1])[:, 0] for part in _chunks(len(one), clusters)]
        or [np.zeros(0, dtype=np.float32)]
    )
    order = np.argsort(observed, kind="stable").astype(np.int32)
    largest, corrected = np.zeros(len(signs), dtype=np.float32), np.empty(len(one), dtype=np.float32)
    for part in _chunks(len(one), max(len(signs), clusters)):  # from the smallest statistic to the largest
        pairs = order[part]
        found = _statistics(_scaled(losses, one[pairs], other[pairs]), signs)
        for row in found:  # faster than accumulating over an array's first axis
            np.maximum(row, largest, out=row)
            largest = row
        largest = largest.copy()
        corrected[part] = (found >= observed[pairs, None] * (1 - _ROUNDING32)).mean(axis=1)
    p_values = np.ones((models, models), dtype=np.float32)
    p_values[one[order], other[order]] = np.maximum.accumulate(corrected[::-1])[::-1]
    critical = float(np.quantile(largest, 1 - ALPHA, method="higher"))
    return SignFlips(np.minimum(p_values, p_values.T), critical, len(signs))


def pair_difference(one: np.ndarray, other: np.ndarray, rows: int) -> PairDifference:
    """The difference of two models in mean loss.

    Args:
        one: the loss of a model summed over each cluster, shape (clusters,).
        other: that of another.
        rows: samples in all clusters.
    """
    gaps, clusters = one - other, len(one)
    if clusters < 2 or np.linalg.norm(gaps) <= _ROUNDING * max(np.linalg.norm(one), np.linalg.norm(other)):
        return PairDifference(float(gaps.sum() / rows) if clusters < 2 else 0.0, np.inf if clusters < 2 else 0.0, 0.0)
    centred = gaps - gaps.mean()
    spread = max(float(np.mean(centred**2)), _LEAST_VARIANCE * float(np.mean(gaps**2)))
    skewness = float(np.mean((centred / np.sqrt(spread)) ** 3)) / np.sqrt(clusters)
    return PairDifference(
        float(gaps.sum() / rows), np.sqrt(spread * clusters / (clusters - 1) * clusters) / rows, skewness
    )


@lru_cache(maxsize=4)  # all tables of a task share them
def _signs(clusters: int, flips: int, seed: int) -> np.ndarray:
    """Joint signs, shape (flips, clusters), the observed ones first. Where clusters are few, every combination once;
    the other half of them has the same statistics."""
    if 2 ** min(clusters - 1, 60) <= flips:
        numbers = np.arange(2 ** (clusters - 1))
        return (1 - 2 * ((numbers[:, None] >> np.arange(clusters)) & 1)).astype(np.float32)
    drawn = np.random.default_rng(seed).integers(0, 2, size=(flips, clusters), dtype=np.int8)
    drawn[0] = 0
    return (1 - 2 * drawn).astype(np.float32)


def _scaled(losses: np.ndarray, one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """The differences of pairs with a mean square of 1, shape (pairs, clusters); 0 for a pair without a difference."""
    gaps = losses[one] - losses[other]
    sizes = np.linalg.norm(losses, axis=1)
    size = np.linalg.norm(gaps, axis=1)
    same = size <= _ROUNDING * np.maximum(sizes[one], sizes[other])
    scales = np.where(same, 0.0, np.sqrt(losses.shape[1]) / np.where(same, 1.0, size))
    return (gaps * scales[:, None]).astype(np.float32)


def _statistics(gaps: np.ndarray, signs: np.ndarray) -> np.ndarray:
    """The absolute statistic of each pair, whose differences have a mean square of 1, for joint signs, shape
    (pairs, flips)."""
    clusters = gaps.shape[1]
    if clusters < 2:
        return np.zeros((len(gaps), len(signs)), dtype=np.float32)
    mean, cubes = gaps @ signs.T, (gaps * gaps * gaps) @ signs.T  # numpy's ** is slow where gaps are negative
    mean /= clusters
    cubes /= clusters
    square = mean**2
    variance = np.maximum(1 - square, _LEAST_VARIANCE)
    square *= 2
    square -= 3
    square *= mean
    cubes += square  # the third central moment
    root = np.sqrt(variance)
    cubes /= variance
    cubes /= root
    cubes /= np.sqrt(np.float32(clusters))
    mean /= root
    mean *= np.sqrt(np.float32(clusters - 1))
    return np.abs(_hall(mean, cubes))


def _hall(t: Any, skewness: Any) -> Any:
    """A monotone cubic in Student's t whose distribution is symmetric to the order of its skewness."""
    product = skewness * t
    return t * (1 + product * (1 / 3 + product / 27)) + skewness / 6


def _inverse_hall(statistic: float, skewness: float) -> float:
    if abs(skewness) < 1e-12:
        return statistic
    return float(3 / skewness * (np.cbrt(1 + skewness * (statistic - skewness / 6)) - 1))


def _chunks(count: int, width: int) -> Iterator[slice]:
    step = max(1, _AT_ONCE // width)
    return (slice(start, start + step) for start in range(0, count, step))
