"""Which models of a section can be told apart, and what that leaves of their ranks.

Every pair is compared on the same samples: a paired bootstrap of the RMSE difference (its standard error from the same
resamples for all models; two-sided normal test) and, for cross-validation, the corrected resampled t-test of Nadeau and
Bengio (Machine Learning 52, 239 (2003)), which allows for training sets that overlap; a pair counts as different where
both say so. P-values are corrected for the number of pairs (Holm, Scand. J. Stat. 6, 65 (1979)). The interval of a rank
is from one plus the number of models that are better to the number of those that are not worse (Mogstad, Romano, Shaikh
and Wilhelm, Rev. Econ. Stud. 91, 476 (2024)): all of a section's intervals hold together in 95 % of all cases.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ..benchmark.bootstrap import RESAMPLES, interval, resampled_metrics
from ..benchmark.difference import Difference
from ..benchmark.metrics import metrics
from ..benchmark.scoring import Scored
from ..submissions.rescore import RescoredRun

ALPHA = 0.05
_ROWS_AT_ONCE = 32
_FOR_ERRORS = 2000  # resamples that standard errors are taken from: they are known to two per cent then


@dataclass(frozen=True)
class Standings:
    """What can be said of models in order of their score, best first.

    Attributes:
        p_values: Holm-corrected, shape (m, m); 1 on the diagonal.
        rank_low: best rank that is not ruled out, shape (m,), from 1 on.
        rank_high: worst rank that is not ruled out, shape (m,).
        groups: letters for each model; within a letter's models no two can be told apart.
        gaps: RMSE differences to the first, with their own paired bootstrap intervals.
    """

    p_values: np.ndarray
    rank_low: np.ndarray
    rank_high: np.ndarray
    groups: list[str]
    gaps: list[Difference]


def standings(runs: Sequence[RescoredRun]) -> Standings:
    """Compare all pairs of runs, which are of one task, protocol and split, best first."""
    scored = [run.scored[run.main] for run in runs]
    draws, gaps = _resampled(scored)
    p_values = bootstrap_p_values(scored, draws)
    if runs and runs[0].run.result.protocol == "cv":
        folds, ratio = _folds(runs[0])
        p_values = np.maximum(p_values, corrected_t_p_values(np.array([_by_fold(one, folds) for one in scored]), ratio))
    p_values = holm(p_values)
    apart = p_values < ALPHA
    order = np.arange(len(runs))
    better = apart & (order[:, None] < order)  # row is better than column
    worse = better.sum(axis=1)
    return Standings(p_values, 1 + better.sum(axis=0), len(runs) - worse, letters(apart), gaps)


def rmse_draws(scored: Sequence[Scored], resamples: int = RESAMPLES, seed: int = 0) -> np.ndarray:
    """RMSE of each model, mean over its seeds, on the same bootstrap resamples, shape (m, resamples).

    Args:
        scored: models' predictions of the same samples in the same order.
        resamples: how many.
        seed: seed of the resampling.
    """
    target, clusters = scored[0].target, scored[0].clusters
    predictions = np.concatenate([one.prediction for one in scored])
    rows = resampled_metrics(target, predictions, clusters, resamples, seed)["rmse"]
    ends = np.cumsum([len(one.prediction) for one in scored])
    return np.array([part.mean(axis=0) for part in np.split(rows, ends[:-1])])


def bootstrap_p_values(scored: Sequence[Scored], draws: np.ndarray) -> np.ndarray:
    """Two-sided p-values of the RMSE difference of each pair, shape (m, m).

    Args:
        scored: as for `rmse_draws`.
        draws: what that returned.
    """
    from scipy.special import erfc

    means, count = draws.mean(axis=1), draws.shape[1]
    covariance = (draws @ draws.T - count * np.outer(means, means)) / max(1, count - 1)  # without a copy of the draws
    variance = _variance_of_difference(covariance)
    return _two_sided(_rmse(scored), variance, lambda t: erfc(t / np.sqrt(2)))


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


def fold_p_value(first: RescoredRun, second: RescoredRun) -> float:
    """P-value of `corrected_t_p_values` for two cross-validated runs."""
    folds, ratio = _folds(first)
    by_fold = np.array([_by_fold(run.scored[run.main], folds) for run in (first, second)])
    return float(corrected_t_p_values(by_fold, ratio)[0, 1])


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


def _resampled(scored: Sequence[Scored]) -> tuple[np.ndarray, list[Difference]]:
    """Draws for standard errors, shape (m, _FOR_ERRORS), and differences to the first model with percentile intervals
    of all resamples; some models at a time, because all draws of thousands of models are gigabytes."""
    if not scored:
        return np.empty((0, _FOR_ERRORS)), []
    values, first = _rmse(scored), rmse_draws(scored[:1])[0]
    kept, gaps = [], []
    for start in range(0, len(scored), _ROWS_AT_ONCE):
        draws = rmse_draws(scored[start : start + _ROWS_AT_ONCE])
        kept.append(draws[:, :_FOR_ERRORS].copy())
        for value, row in zip(values[start:], draws, strict=False):
            low, high = interval(row - first) or (None, None)
            gaps.append(Difference(value=float(value - values[0]), low=low, high=high))
    return np.concatenate(kept), gaps


def _rmse(scored: Sequence[Scored]) -> np.ndarray:
    return np.array([metrics(one.target, one.prediction)["rmse"].mean() for one in scored])


def _folds(run: RescoredRun) -> tuple[np.ndarray, float]:
    """The fold of each sample, and rows predicted over rows learnt from."""
    folds = run.reference.folds
    numbers = np.array([run.reference.data.folds[material] for material in run.ids[run.main]])
    return numbers, float(np.mean([len(fold.predicted[run.main]) / len(fold.train) for fold in folds.values()]))


def _by_fold(scored: Scored, folds: np.ndarray) -> np.ndarray:
    """RMSE on each fold, mean over seeds, shape (folds,)."""
    members = [folds == number for number in np.unique(folds)]
    return np.array([metrics(scored.target[own], scored.prediction[:, own])["rmse"].mean() for own in members])


def _variance_of_difference(covariance: np.ndarray) -> np.ndarray:
    own = np.diag(covariance)
    return own[:, None] + own - 2 * covariance


def _two_sided(values: np.ndarray, variance: np.ndarray, tail: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """P-values of the differences of values; 1 where they differ by rounding only."""
    difference = np.abs(values[:, None] - values)
    same = difference <= 1e-9 * np.maximum(np.abs(values[:, None]), np.abs(values))
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(same, 1.0, tail(difference / np.sqrt(np.maximum(variance, 0))))
