"""Regression metrics from sums, so that one matrix product scores thousands of resamples.

RMSE, MAE and R2 depend on a set of samples through five sums only: of the squared error, the absolute error, the
target, its square, and one. Any resample is a set of counts; its sums are counts times the samples' terms.
"""

from __future__ import annotations

import numpy as np

METRICS = ("rmse", "r2", "mae")


def terms(target: np.ndarray, prediction: np.ndarray) -> np.ndarray:
    """What each sample adds to the five sums.

    Args:
        target: shape (n,).
        prediction: shape (..., n).

    Returns:
        Shape (..., n, 5): squared error, absolute error, centred target, its square, one.
    """
    error = prediction - target
    centred = target - target.mean()  # R2 does not change, and large targets lose no digits
    rest = [np.broadcast_to(part, error.shape) for part in (centred, centred**2, np.ones_like(centred))]
    return np.stack([error**2, np.abs(error), *rest], axis=-1)


def from_sums(sums: np.ndarray) -> dict[str, np.ndarray]:
    """Metrics from sums of `terms`.

    Args:
        sums: shape (..., 5).

    Returns:
        `rmse` and `mae` in the target's unit, and `r2` = 1 - SS_res / SS_tot, each of shape (...). R2 is NaN where
        the target is constant.
    """
    squared, absolute, target, target_squared, count = np.moveaxis(sums, -1, 0)
    spread = target_squared - target**2 / count
    constant = spread <= 1e-12 * np.maximum(target_squared, np.finfo(float).tiny)
    with np.errstate(divide="ignore", invalid="ignore"):
        r2 = np.where(constant, np.nan, 1 - squared / spread)
    return {"rmse": np.sqrt(squared / count), "r2": r2, "mae": absolute / count}


def metrics(target: np.ndarray, prediction: np.ndarray) -> dict[str, np.ndarray]:
    """RMSE, R2 and MAE of predictions, shape (..., n), of one target, shape (n,)."""
    return from_sums(terms(np.asarray(target, float), np.asarray(prediction, float)).sum(axis=-2))
