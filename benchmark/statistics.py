"""Which models of a table can be told apart, and what that leaves of their ranks. Arrays in, arrays out.

Every pair is compared on the same samples: a paired bootstrap of the difference in the metric that ranks (its standard
error from the same resamples for all models; two-sided normal test) and, where training sets overlap, the corrected
resampled t-test of Nadeau and Bengio (Machine Learning 52, 239 (2003)); a pair counts as different where both find a
difference. P-values are corrected for the number of pairs (Holm, Scand. J. Stat. 6, 65 (1979)). The interval of a rank
is from one plus the number of models that are better to the number of those that are not worse (Mogstad, Romano, Shaikh
and Wilhelm, Rev. Econ. Stud. 91, 476 (2024)): all of a table's intervals hold together in 95 % of all cases.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from .bootstrap import RESAMPLES
from .metrics import Metric, Sample
from .scoring import Difference, difference, mean_draws, mean_value

ALPHA = 0.05
_FOR_ERRORS = 2000  # resamples that standard errors are taken from: they are known to two per cent then
# The tests that a protocol may name, in words.
TESTS = {"bootstrap": "paired bootstrap", "corrected_t": "corrected resampled t-test"}


@dataclass(frozen=True)
class Rank:
    """The rank of a model among others.

    Attributes:
        rank: by the metric that ranks, from 1.
        low: the best rank that is not ruled out.
        high: the worst rank that is not ruled out.
        group: letters; models that share one cannot be told apart.
        p_first: corrected p-value of the difference to the first; None for the first itself.
        gap: the difference to the first, with its own interval; None for the first itself.
    """

    rank: int
    low: int
    high: int
    group: str
    p_first: float | None
    gap: Difference | None


@dataclass(frozen=True)
class Folds:
    """The folds of a protocol, for tests that go by fold.

    Attributes:
        numbers: the fold of each sample, shape (n,).
        ratio: rows of a test fold over rows it was predicted from, on average.
    """

    numbers: np.ndarray
    ratio: float


def rank_models(
    samples: Sequence[Sample], metric: Metric, tests: Sequence[str] = ("bootstrap",), folds: Folds | None = None
) -> list[Rank]:
    """Compare all pairs of models, and rank them.

    Args:
        samples: predictions of the same rows in the same order, best model first.
        metric: the metric that ranks.
        tests: names of `TESTS`; a pair is told apart where each of them tells it apart.
        folds: what `corrected_t` needs.

    Raises:
        ValueError: a test is unknown, or what it needs is not given.
    """
    if not samples:
        return []
    draws, gaps = _resampled(samples, metric)
    found = []
    if "bootstrap" in tests:
        found.append(bootstrap_p_values([mean_value(metric, one) for one in samples], draws))
    if "corrected_t" in tests and folds is not None:
        by_fold = np.array([by_folds(one, metric, folds) for one in samples])
        found.append(corrected_t_p_values(by_fold, folds.ratio))
    if len(found) < len(tests) or not found:
        raise ValueError(f"tests must be some of {', '.join(TESTS)}, with folds for corrected_t (got {tuple(tests)})")
    p_values = holm(np.max(found, axis=0))
    apart = p_values < ALPHA
    order = np.arange(len(samples))
    better = apart & (order[:, None] < order)  # row is better than column
    low, high, groups = 1 + better.sum(axis=0), len(samples) - better.sum(axis=1), letters(apart)
    return [
        Rank(
            index + 1,
            int(low[index]),
            int(high[index]),
            groups[index],
            float(p_values[0, index]) if index else None,
            gaps[index] if index else None,
        )
        for index in range(len(samples))
    ]


def bootstrap_p_values(values: Sequence[float], draws: np.ndarray) -> np.ndarray:
    """Two-sided p-values of the difference of each pair, shape (m, m).

    Args:
        values: the metric of each model, shape (m,).
        draws: the same on bootstrap resamples that all models share, shape (m, resamples).
    """
    from scipy.special import erfc

    means, count = draws.mean(axis=1), draws.shape[1]
    covariance = (draws @ draws.T - count * np.outer(means, means)) / max(1, count - 1)  # without a copy of the draws
    variance = _variance_of_difference(covariance)
    return _two_sided(np.asarray(values), variance, lambda t: erfc(t / np.sqrt(2)))


def corrected_t_p_values(by_fold: np.ndarray, ratio: float) -> np.ndarray:
    """Two-sided p-values of the corrected resampled t-test of each pair, shape (m, m).

    Args:
        by_fold: score of each model on each fold, shape (m, folds).
        ratio: rows of a test fold over rows it was predicted from.
    """
    from scipy.special import stdtr

    folds = by_fold.shape[1]
    centred = by_fold - by_fold.mean(axis=1, keepdims=True)
    variance = _variance_of_difference(centred @ centred.T / (folds - 1)) * (1 / folds + ratio)
    return _two_sided(by_fold.mean(axis=1), variance, lambda t: 2 * stdtr(folds - 1, -t))


def by_folds(sample: Sample, metric: Metric, folds: Folds) -> np.ndarray:
    """A metric on each fold, mean over seeds, shape (folds,)."""
    members = [folds.numbers == number for number in np.unique(folds.numbers)]
    return np.array([mean_value(metric, sample.take(rows)) for rows in members])


def holm(p_values: np.ndarray) -> np.ndarray:
    """P-values of all pairs, shape (m, m), corrected for their number."""
    upper = np.triu_indices(len(p_values), 1)
    raw = p_values[upper]
    order = np.argsort(raw, kind="stable")
    steps = raw[order] * np.arange(len(raw), 0, -1)
    corrected = np.ones_like(p_values)
    adjusted = np.empty_like(raw)
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1)
    corrected[upper] = adjusted
    return np.minimum(corrected, corrected.T)


def letters(apart: np.ndarray) -> list[str]:
    """Letters for models in order of rank: those of a letter stand side by side, and no two of them are apart.

    Args:
        apart: which pairs are told apart, shape (m, m).
    """
    count = len(apart)
    ends, end = [count] * count, count
    for i in reversed(range(count)):
        further = np.flatnonzero(apart[i, i + 1 :])
        end = min(end, i + 1 + int(further[0])) if len(further) else end
        ends[i] = end
    starts = [i for i in range(count) if i == 0 or ends[i] > ends[i - 1]]
    return ["".join(_letter(k) for k, start in enumerate(starts) if start <= i < ends[start]) for i in range(count)]


def _letter(number: int) -> str:
    return chr(ord("a") + number) if number < 26 else f"({number + 1})"


def _resampled(samples: Sequence[Sample], metric: Metric) -> tuple[np.ndarray, list[Difference]]:
    """Draws for standard errors, shape (m, _FOR_ERRORS), and differences to the first model with percentile intervals
    of all resamples; one model at a time, because all draws of thousands of models are gigabytes."""
    first_value, first = mean_value(metric, samples[0]), mean_draws(metric, samples[0], RESAMPLES)
    kept, gaps = np.empty((len(samples), _FOR_ERRORS)), []
    for index, sample in enumerate(samples):
        draws = mean_draws(metric, sample, RESAMPLES)
        kept[index] = draws[:_FOR_ERRORS]
        gaps.append(difference(mean_value(metric, sample), first_value, draws, first))
    return kept, gaps


def _variance_of_difference(covariance: np.ndarray) -> np.ndarray:
    own = np.diag(covariance)
    return own[:, None] + own - 2 * covariance


def _two_sided(values: np.ndarray, variance: np.ndarray, tail: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """P-values of the differences of values; 1 where they differ by rounding only."""
    difference = np.abs(values[:, None] - values)
    same = difference <= 1e-9 * np.maximum(np.abs(values[:, None]), np.abs(values))
    with np.errstate(divide="ignore", invalid="ignore"):
        p_values = tail(difference / np.sqrt(np.maximum(variance, 0)))
    return np.where(same | np.isnan(p_values), 1.0, p_values)
