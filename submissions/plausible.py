"""What a person should review before it is ranked: predictions in another unit, or equal to the targets."""

from __future__ import annotations

import numpy as np

from ..benchmark.metrics import Sample

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
_EQUAL = 1e-9  # of a target
_CLOSE = 1e-3  # of the targets' range: closer than any model comes to most targets
_MOST_CLOSE = 0.2
_FAR = 3.0


def suspicions(scored: Sample, targets: np.ndarray) -> list[str]:
    """Sentences about the predictions of one split that a person should review; usually none.

    Args:
        scored: predictions, shape (seeds, n), beside targets, shape (n,).
        targets: all targets of the task, shape (m,).
    """
    if scored.kind == "classification":  # many are certain and right, and probabilities have no unit
        return []
    found = [_copied(scored, targets), _unit(scored, targets) or _range(scored, targets)]
    return [sentence for sentence in found if sentence]


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
