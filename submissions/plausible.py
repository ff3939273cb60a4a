"""What somebody should look at before it is ranked: predictions in another unit, or equal to the targets."""

from __future__ import annotations

import numpy as np

from ..benchmark.scoring import Scored

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
_CLOSE = 1e-3  # of the targets' range: closer than any model comes to most targets
_MOST_CLOSE = 0.2
_FAR = 3.0


def suspicions(scored: Scored, targets: np.ndarray) -> list[str]:
    """Sentences about the predictions of one split that somebody should look at; most often none.

    Args:
        scored: predictions, shape (seeds, n), beside targets, shape (n,).
        targets: all targets of the task, shape (m,).
    """
    found = [_copied(scored), _unit(scored), _range(scored, targets)]
    return [sentence for sentence in found if sentence]


def _copied(scored: Scored) -> str | None:
    """Many predictions that are next to equal to their targets, while the others are not.

    Predictions of the commonest target, such as no band gap, are no sign; nor are errors so small throughout that many
    are that close by chance.
    """
    values, counts = np.unique(scored.target, return_counts=True)
    common = values[counts.argmax()] if counts.max() > 1 else None
    rows = np.array([value != common for value in scored.target.tolist()])
    error = np.abs(scored.prediction - scored.target)[:, rows]
    if error.shape[1] < 3:
        return None
    close = error <= _CLOSE * np.ptp(scored.target)
    # Of errors that are spread evenly about zero, so many would be that close.
    scale = np.median(error[~close]) if (~close).any() else 0.0
    expected = _CLOSE * np.ptp(scored.target) / scale if scale else 0.0
    share = float(close.mean(axis=1).max())
    if close.sum(axis=1).max() < 3 or share < max(_MOST_CLOSE, 3 * min(expected, 1.0)):
        return None
    return f"{share:.0%} of the predictions are next to equal to their targets"


def _unit(scored: Scored) -> str | None:
    """A factor, or a logarithm, that makes predictions fit far better that are worse than the training mean as they
    are."""
    prediction, target = scored.prediction.mean(axis=0), scored.target

    def rmse(values: np.ndarray) -> float:
        return float(np.sqrt(np.mean((values - target) ** 2)))

    own, floor = rmse(prediction), min(rmse(scored.train_mean.mean(axis=0)), float(target.std()))
    enough = min(0.5 * own, 0.9 * floor)
    if own <= floor:
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


def _range(scored: Scored, targets: np.ndarray) -> str | None:
    """Predictions far outside what the targets span."""
    low, high = targets.min(), targets.max()
    reach = _FAR * (high - low) if high > low else max(abs(high), 1.0) * _FAR
    outside = (scored.prediction < low - reach) | (scored.prediction > high + reach)
    if not outside.any():
        return None
    return f"{int(outside.sum())} of {outside.size} predictions lie far outside the range of the targets"
