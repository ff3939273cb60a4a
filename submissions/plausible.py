"""What somebody should look at before it is ranked: predictions in another unit, or equal to the targets."""

from __future__ import annotations

import numpy as np

from ..benchmark.scoring import Scored

# Factors between units that are mixed up: thousands, eV and kJ/mol, Ry, Ha, J/m2 and eV/A2, GPa and eV/A3, kbar, Mbar.
_FACTORS = {
    1e-6: "a millionth",
    1e-3: "a thousandth",
    1e-2: "a hundredth",
    1e-1: "a tenth",
    10.0: "ten times",
    100.0: "a hundred times",
    1e3: "a thousand times",
    1e6: "a million times",
    96.485: "eV for kJ/mol",
    1 / 96.485: "kJ/mol for eV",
    13.6057: "Ry for eV",
    27.2114: "Ha for eV",
    160.2177: "eV/A3 for GPa",
    1 / 160.2177: "GPa for eV/A3",
}
_EQUAL = 1e-9
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
    """Predictions that equal targets; values that many samples share, such as no band gap, are no sign."""
    values, counts = np.unique(scored.target, return_counts=True)
    shared = set(values[counts > 1].tolist())
    single = np.array([value not in shared for value in scored.target.tolist()])
    if single.sum() < 3:
        return None
    scale = np.ptp(scored.target)
    equal = np.abs(scored.prediction - scored.target)[:, single] <= _EQUAL * scale
    share = float(equal.mean(axis=1).max())
    return f"{share:.0%} of the predictions are equal to their targets" if share > 0.05 and equal.sum() >= 3 else None


def _unit(scored: Scored) -> str | None:
    """A factor that makes the predictions fit far better, where they are worse than the training mean as they are."""
    prediction, target = scored.prediction.mean(axis=0), scored.target

    def rmse(values: np.ndarray) -> float:
        return float(np.sqrt(np.mean((values - target) ** 2)))

    own, floor = rmse(prediction), min(rmse(scored.train_mean.mean(axis=0)), float(target.std()))
    best = min(_FACTORS, key=lambda factor: rmse(factor * prediction))
    if own > floor and rmse(best * prediction) < min(0.5 * own, 0.9 * floor):
        return f"the predictions fit far better times {best:.6g} ({_FACTORS[best]}): are they in the task's unit?"
    return None


def _range(scored: Scored, targets: np.ndarray) -> str | None:
    """Predictions far outside what the targets span."""
    low, high = targets.min(), targets.max()
    reach = _FAR * (high - low) if high > low else max(abs(high), 1.0) * _FAR
    outside = (scored.prediction < low - reach) | (scored.prediction > high + reach)
    if not outside.any():
        return None
    return f"{int(outside.sum())} of {outside.size} predictions lie far outside the range of the targets"
