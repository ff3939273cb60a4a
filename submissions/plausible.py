"""What a person should review before it is ranked: other units, and what is closer to the targets than models come."""

from __future__ import annotations

import numpy as np

from ..benchmark.metrics import Sample
from .rescoring import LeaderboardEntry

# Factors between units that are mixed up; any other factor from 3 on is found as well, without a name.
_FACTORS = {
    -1.0: "the sign",
    1e-3: "a thousandth",
    1e3: "a thousand times",
    96.485: "eV for kJ/mol",
    23.0605: "eV for kcal/mol",
    4.184: "kcal for kJ",
    13.6057: "Ry for eV",
    27.2114: "Ha for eV",
    160.2177: "eV/A3 for GPa",
    145.038: "GPa for ksi",
}
_FEWEST = 10  # rows
_EQUAL = 1e-9  # of a target
_CLOSE = 1e-3  # of the targets' range: closer than any model comes to most targets
_MOST_CLOSE = 0.2
_FAR = 3.0
_NOISE = 0.05  # of the targets' standard deviation; the best accepted entry has an RMSE of 0.21
_FAR_BETTER = 0.75  # of the error in cross-validation, between ends of intervals; of accepted entries, 1.04 or more
_SAME = 0.01  # of the error; two seeds of one network differ by far more
_VARIED = 0.05  # of the error: predictions that vary less are one number for all rows


def suspicions(scored: Sample, targets: np.ndarray) -> list[str]:
    """Sentences about the predictions of one split that a person should review; usually none.

    Args:
        scored: predictions, shape (seeds, n), beside targets, shape (n,).
        targets: all targets of the task, shape (m,).
    """
    if scored.kind == "classification":  # many are certain and right, and probabilities have no unit
        return []
    found = [_copied(scored, targets) or _noisy(scored), _unit(scored, targets) or _range(scored, targets)]
    return [sentence for sentence in found if sentence]


def better_than_learnt(holdout: LeaderboardEntry, cv: LeaderboardEntry) -> str | None:
    """A sentence where a model's error on the holdout is far below that of the same model in cross-validation.

    Both are over the error of the training mean, since one set of rows may be easier than another.

    Args:
        holdout: its run on the fixed split.
        cv: its run by cross-validation, on the same task.
    """
    shares = [_shares_of_floor(entry) for entry in (holdout, cv)]
    if None in shares:
        return None
    (ours, _, high), (usual, low, _) = (share for share in shares if share)
    if high >= _FAR_BETTER * low:
        return None
    return (
        f"its RMSE is {ours:.2g} times that of the training mean on the holdout, and {usual:.2g} times in "
        "cross-validation: has it learnt from the holdout?"
    )


def same_predictions(one: Sample, other: Sample) -> bool:
    """Whether predictions of the same rows are the same, but for rounding or a little noise."""
    first, second = one.prediction.mean(axis=0), other.prediction.mean(axis=0)
    error = float(np.sqrt(np.mean((first - one.target) ** 2)))
    if np.std(first) <= _VARIED * error:  # one number for all rows is the same number for many models
        return False
    return bool(np.sqrt(np.mean((first - second) ** 2)) <= _SAME * error)


def _shares_of_floor(entry: LeaderboardEntry) -> tuple[float, float, float] | None:
    """RMSE over that of the training mean, and its interval; None where there is none."""
    if entry.sample.kind != "regression":
        return None
    found = entry.score["rmse"]
    floor = float(np.sqrt(np.mean((entry.sample.baseline - entry.sample.target) ** 2)))
    if found.value is None or found.low is None or found.high is None or not floor:
        return None
    return found.value / floor, found.low / floor, found.high / floor


def _noisy(scored: Sample) -> str | None:
    """Predictions as targets with a little noise would be."""
    share = float(np.sqrt(np.mean((scored.prediction - scored.target) ** 2)) / (scored.target.std() or np.inf))
    if share > _NOISE or len(scored.target) < _FEWEST:
        return None
    return f"the RMSE is {share:.1%} of the standard deviation of the targets: are they targets with noise?"


def _copied(scored: Sample, targets: np.ndarray) -> str | None:
    """Predictions that are equal to their targets, or many that are next to it, while the others are not.

    What is near the commonest target, such as no band gap, is no sign; nor is equality with a value that several rows
    have; nor are errors so small throughout that many are that close by chance.
    """
    values, counts = np.unique(targets, return_counts=True)
    shared = np.isin(scored.target, values[counts > 1])
    error = np.abs(scored.prediction - scored.target)
    equal = (error <= _EQUAL * np.abs(scored.target))[:, ~shared]
    if equal.shape[1] and equal.sum(axis=1).max() >= max(3, 0.05 * equal.shape[1]):
        return f"{equal.mean(axis=1).max():.0%} of the predictions are equal to their targets"
    near = _CLOSE * np.ptp(targets)
    apart = np.abs(scored.target - values[counts.argmax()]) > near
    close = (error <= near)[:, apart]
    most = close.sum(axis=1).max() if close.shape[1] else 0
    usual = np.median(error[:, apart][~close]) if (~close).any() else 0.0
    by_chance = min(near / usual, 1.0) if usual else 0.0  # of errors that are spread evenly about zero
    if most < 3 or most < max(_MOST_CLOSE, 3 * by_chance) * close.shape[1]:
        return None
    return f"{most / close.shape[1]:.0%} of the predictions are next to equal to their targets"


def _unit(scored: Sample, targets: np.ndarray) -> str | None:
    """A factor, or a logarithm, that makes predictions fit far better that are worse than the training mean as they
    are."""
    prediction, target = scored.prediction.mean(axis=0), scored.target

    def rmse(values: np.ndarray) -> float:
        return float(np.sqrt(np.mean((values - target) ** 2)))

    own, floor = rmse(prediction), min(rmse(scored.baseline.mean(axis=0)), float(target.std()))
    enough = min(0.5 * own, 0.9 * floor)
    if own <= floor or target.std() <= 0.01 * targets.std():  # of targets that hardly differ, any factor fits
        return None
    if np.abs(prediction).max() < 20 and rmse(10.0**prediction) < enough:
        return "ten to the power of the predictions fits far better: are they logarithms?"
    norm = float(prediction @ prediction)
    factor = float(prediction @ target) / norm if norm else 1.0
    if rmse(factor * prediction) >= enough or 1 / 3 < factor < 3:
        return None
    for known, name in _FACTORS.items():
        for one in (known, 1 / known):
            if 0.7 < factor / one < 1.4:
                return f"the predictions fit far better times {one:.6g} ({name}): are they in the task's unit?"
    return f"the predictions fit far better times {factor:.3g}: are they in the task's unit?"


def _range(scored: Sample, targets: np.ndarray) -> str | None:
    """Predictions far outside what the targets span."""
    low, high = targets.min(), targets.max()
    reach = _FAR * (high - low) if high > low else max(abs(high), 1.0) * _FAR
    outside = (scored.prediction < low - reach) | (scored.prediction > high + reach)
    if not outside.any():
        return None
    return f"{int(outside.sum())} of {outside.size} predictions lie far outside the range of the targets"
