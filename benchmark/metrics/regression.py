"""Metrics of numbers: RMSE, R2, MAE, skill, and RMSE over the range of the training targets.

Each of them depends on a set of rows through a few sums only, so one matrix product gives thousands of resamples: a
resample is a set of counts, and its sums are the counts times what each row adds.
"""

from __future__ import annotations

import numpy as np

from . import Metric, Sample


def _squared_error(sample: Sample) -> np.ndarray:
    return (sample.prediction - sample.target) ** 2


def _rmse(sample: Sample, counts: np.ndarray) -> np.ndarray:
    return np.sqrt(_squared_error(sample) @ counts.T / counts.sum(axis=1))


def _mae(sample: Sample, counts: np.ndarray) -> np.ndarray:
    return np.abs(sample.prediction - sample.target) @ counts.T / counts.sum(axis=1)


def _r2(sample: Sample, counts: np.ndarray) -> np.ndarray:
    """1 - SS_res / SS_tot; NaN where the target is constant."""
    centred = sample.target - sample.target.mean()  # R2 is unchanged, and large targets lose no digits
    first, second = centred @ counts.T, centred**2 @ counts.T
    total = second - first**2 / counts.sum(axis=1)
    constant = total <= 1e-12 * np.maximum(second, np.finfo(float).tiny)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(constant, np.nan, 1 - _squared_error(sample) @ counts.T / total)


def _skill(sample: Sample, counts: np.ndarray) -> np.ndarray:
    floor = np.sqrt((sample.baseline - sample.target) ** 2 @ counts.T / counts.sum(axis=1))
    with np.errstate(divide="ignore", invalid="ignore"):
        value = 1 - _rmse(sample, counts) / floor
    return np.where(np.isinf(value), np.nan, value)


def _rmse_over_range(sample: Sample, counts: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore", invalid="ignore"):
        value = _rmse(sample, counts) / sample.scale
    return np.where(np.isinf(value), np.nan, value)


RMSE = Metric(
    "rmse",
    "RMSE",
    unit="target",
    resampled=_rmse,
    help="root mean square error",
    order=10,
)
R2 = Metric(
    "r2",
    "R2",
    direction="higher",
    resampled=_r2,
    help="1 - SS_res / SS_tot",
    order=20,
)
MAE = Metric(
    "mae",
    "MAE",
    unit="target",
    resampled=_mae,
    help="mean absolute error",
    prominent=False,
    order=30,
)
SKILL = Metric(
    "skill",
    "skill",
    direction="higher",
    resampled=_skill,
    help="1 - RMSE / RMSE of the training mean",
    order=40,
)
# The scale on which Tables 6, 7, 12 and 13 of arXiv 2401.09301 can be read.
RMSE_OVER_RANGE = Metric(
    "rmse_over_range",
    "RMSE/range",
    resampled=_rmse_over_range,
    help="RMSE over the range of the training targets",
    prominent=False,
    order=50,
)
