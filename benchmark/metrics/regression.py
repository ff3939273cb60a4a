"""Metrics of numbers: RMSE, R2, MAE, skill, and RMSE over the range of the training targets."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from . import Metric, Sample


def _squared_error(sample: Sample) -> np.ndarray:
    return (sample.prediction - sample.target) ** 2


def _absolute_error(sample: Sample) -> np.ndarray:
    return np.abs(sample.prediction - sample.target)


def _moments(sample: Sample) -> Sequence[np.ndarray]:
    centred = sample.target - sample.target.mean()  # R2 is unchanged, and large targets lose no digits
    return centred, centred**2


def _r2(error: np.ndarray, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """1 - SS_res / SS_tot; NaN where the target is constant."""
    variance = second - first**2
    constant = variance <= 1e-12 * np.maximum(second, np.finfo(float).tiny)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(constant, np.nan, 1 - error / variance)


def _squared_baseline_error(sample: Sample) -> Sequence[np.ndarray]:
    return ((sample.baseline - sample.target) ** 2,)


def _skill(error: np.ndarray, floor: np.ndarray) -> np.ndarray:
    return 1 - _root_of_ratio(error, floor)


def _squared_range(sample: Sample) -> Sequence[np.ndarray]:
    return (np.full(len(sample.target), sample.scale**2),)


def _root_of_ratio(error: np.ndarray, floor: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore", invalid="ignore"):
        value = np.sqrt(error / floor)
    return np.where(np.isinf(value), np.nan, value)


RMSE = Metric(
    "rmse",
    "RMSE",
    unit="target",
    loss=_squared_error,
    of_means=np.sqrt,
    help="root mean square error",
    order=10,
)
R2 = Metric(
    "r2",
    "R2",
    direction="higher",
    loss=_squared_error,
    of_means=_r2,
    others=_moments,
    help="1 - SS_res / SS_tot",
    order=20,
)
MAE = Metric(
    "mae",
    "MAE",
    unit="target",
    loss=_absolute_error,
    help="mean absolute error",
    prominent=False,
    order=30,
)
SKILL = Metric(
    "skill",
    "skill",
    direction="higher",
    loss=_squared_error,
    of_means=_skill,
    others=_squared_baseline_error,
    help="1 - RMSE / RMSE of the training mean",
    order=40,
)
# The scale on which Tables 6, 7, 12 and 13 of arXiv 2401.09301 can be read.
RMSE_OVER_RANGE = Metric(
    "rmse_over_range",
    "RMSE/range",
    loss=_squared_error,
    of_means=_root_of_ratio,
    others=_squared_range,
    help="RMSE over the range of the training targets",
    prominent=False,
    order=50,
)
