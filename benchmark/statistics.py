"""Which models of a table can be told apart, what that leaves of their ranks, and what differences it could have found.

Every pair is compared on the same samples by the cluster sign-flip test (`benchmark.signflip`), corrected for the
number of pairs. The interval of a rank is from one plus the number of models that are better to the number of those
that are not worse (Mogstad, Romano, Shaikh and Wilhelm, Rev. Econ. Stud. 91, 476 (2024)): all of a table's intervals
hold together in 95 % of all cases. The corrected resampled t-test over folds (Nadeau and Bengio, Machine Learning 52,
239 (2003)) is a second opinion on one pair.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from .differences import Difference, PairedLoss
from .metrics import Metric, Sample
from .scoring import mean_value
from .signflip import ALPHA, SignFlips, sign_flip_test

_DRAWS = 2000  # for the mean of what choosing the best brings


@dataclass(frozen=True)
class Rank:
    """The rank of a model among others.

    Attributes:
        rank: by the metric that ranks, from 1.
        low: the best rank that is not ruled out.
        high: the worst rank that is not ruled out.
        group: letters; models that share one cannot be told apart.
        p_first: corrected p-value of the difference to the first; None for the first itself.
        gap: the difference to the first, with an interval of its own; None for the first itself.
    """

    rank: int
    low: int
    high: int
    group: str
    p_first: float | None
    gap: Difference | None


@dataclass(frozen=True)
class Resolution:
    """What a comparison of models could have told apart, and what it would take to tell more.

    Attributes:
        difference: the smallest difference in the metric that ranks which is found with a power of 80 %; infinite where
            there are too few clusters to tell anything apart. Of a table, the median over neighbours in rank.
        relative: the same over the value of the better one; None where the metric is no error.
        samples: how many samples it would take to tell the first from the second if they differ as observed, with the
            same power; None where they do not differ.
    """

    difference: float
    relative: float | None
    samples: int | None

    def as_record(self) -> dict[str, float | None]:
        """Its numbers by name, as tables hold them: None for an infinite one."""
        return {
            "detectable_difference": self.difference if np.isfinite(self.difference) else None,
            "detectable_relative": self.relative,
            "samples_to_separate": self.samples,
        }


NOTHING_RESOLVED = Resolution(np.inf, None, None)


@dataclass(frozen=True)
class Ranking:
    """A table of models that were all compared with each other.

    Attributes:
        ranks: of each model.
        resolution: what the table can tell apart; None for less than two models.
        separated: pairs that are told apart.
        flips: sign flips that the p-values are from.
        optimism: how much better than it is the best of these models looks on average, in the metric that ranks,
            because it was chosen on these samples; None for less than two models.
    """

    ranks: list[Rank]
    resolution: Resolution | None
    separated: int
    flips: int
    optimism: float | None


@dataclass(frozen=True)
class Folds:
    """The folds of a protocol, for tests that go by fold.

    Attributes:
        numbers: the fold of each sample, shape (n,).
        ratio: rows of a test fold over rows it was predicted from, on average.
    """

    numbers: np.ndarray
    ratio: float


def rank_models(samples: Sequence[Sample], metric: Metric) -> Ranking:
    """Compare all pairs of models, and rank them.

    Args:
        samples: predictions of the same rows in the same order, best model first.
        metric: the metric that ranks.
    """
    losses = [PairedLoss(metric, sample) for sample in samples]
    if not losses:
        return Ranking([], None, 0, 0, None)
    found = sign_flip_test(np.stack([loss.by_cluster for loss in losses]))
    means = np.array([loss.mean for loss in losses])
    order = np.arange(len(losses))
    # A pair is apart only where the loss that is tested orders it as the metric that ranks does.
    better = (found.p_values < ALPHA) & (order[:, None] < order) & (means[:, None] < means)
    low, high, groups = 1 + better.sum(axis=0), len(losses) - better.sum(axis=1), letters(better | better.T)
    ranks = [
        Rank(
            index + 1,
            int(low[index]),
            int(high[index]),
            groups[index],
            (found.p_value(0, index) if means[0] < means[index] else 1.0) if index else None,
            loss.minus(losses[0]) if index else None,
        )
        for index, loss in enumerate(losses)
    ]
    return Ranking(ranks, _resolution_of(losses, found), int(better.sum()), found.flips, _optimism(losses, metric))


def resolve_pair(first: Sample, second: Sample, metric: Metric) -> Resolution:
    """What a single comparison of two models on the same rows could have told apart."""
    losses = [PairedLoss(metric, sample) for sample in (first, second)]
    losses.sort(key=lambda loss: loss.mean)
    found = _resolution_of(losses, sign_flip_test(np.stack([loss.by_cluster for loss in losses])))
    assert found is not None
    return found


def _resolution_of(losses: Sequence[PairedLoss], found: SignFlips) -> Resolution | None:
    """What models, best first, could be told apart by."""
    if len(losses) < 2:
        return None
    if 1 / found.flips > ALPHA:
        return NOTHING_RESOLVED
    neighbours = [better.detectable(worse, found.critical) for better, worse in pairwise(losses)]
    difference, relative = np.median(np.array(neighbours, dtype=float), axis=0)
    return Resolution(
        float(difference),
        float(relative) if np.isfinite(relative) else None,
        losses[0].samples_to_separate(losses[1], found.critical),
    )


def _optimism(losses: Sequence[PairedLoss], metric: Metric) -> float | None:
    """How much better than its expected value the model looks that comes out best, on samples like these: losses are
    drawn from a normal distribution with the observed means and, through random weights of clusters, the observed
    covariance. What a model gains on average without being chosen is not counted."""
    if len(losses) < 2:
        return None
    by_cluster = np.stack([loss.by_cluster for loss in losses])
    centred = by_cluster - by_cluster.mean(axis=1, keepdims=True)
    weights = np.random.default_rng(0).normal(size=(_DRAWS, by_cluster.shape[1]))
    means = np.array([loss.mean for loss in losses])
    drawn = means + weights @ centred.T / losses[0].rows  # (draws, models)
    values = np.stack([loss.at(of_model) for loss, of_model in zip(losses, drawn.T, strict=True)], axis=1)
    gains = values.mean(axis=0) - values
    chosen = np.take_along_axis(gains, np.argmin(drawn, axis=1)[:, None], axis=1)
    return float(chosen.mean()) * (1 if metric.direction == "lower" else -1)


def corrected_t_p_value(by_fold: np.ndarray, ratio: float) -> float:
    """Two-sided p-value of the corrected resampled t-test of two models.

    Args:
        by_fold: score of each model on each fold, shape (2, folds).
        ratio: rows of a test fold over rows it was predicted from.
    """
    from scipy.special import stdtr

    gaps = by_fold[0] - by_fold[1]
    error = np.sqrt(gaps.var(ddof=1) * (1 / len(gaps) + ratio))
    return 1.0 if error == 0 else float(2 * stdtr(len(gaps) - 1, -abs(gaps.mean()) / error))


def by_folds(sample: Sample, metric: Metric, folds: Folds) -> np.ndarray:
    """A metric on each fold, mean over seeds, shape (folds,)."""
    members = [folds.numbers == number for number in np.unique(folds.numbers)]
    return np.array([mean_value(metric, sample.take(rows)) for rows in members])


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
