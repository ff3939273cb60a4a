"""Metrics of stated standard deviations: is a model as unsure as it is wrong?

A prediction with its deviation is read as a normal distribution. Definitions as in Gneiting and Raftery (J. Am. Stat.
Assoc. 102, 359 (2007)) and, for the miscalibration area, Tran et al. (Mach. Learn.: Sci. Technol. 1, 025006 (2020)).
"""

from __future__ import annotations

from functools import partial

import numpy as np

from . import Metric, Sample

_QUANTILE = 1.959964  # of the standard normal distribution: 95 % lie within it
_LEVELS = np.linspace(0, 1, 101)[1:-1]
# A deviation of zero would make any error infinitely unlikely; it counts as this share of the training range.
_LEAST = 1e-6


def _deviation(sample: Sample) -> np.ndarray:
    assert sample.deviation is not None
    return np.maximum(sample.deviation, _LEAST * sample.scale or np.finfo(float).tiny)


def _z(sample: Sample) -> np.ndarray:
    return (sample.prediction - sample.target) / _deviation(sample)


def _crps(sample: Sample) -> np.ndarray:
    import scoringrules

    return np.asarray(scoringrules.crps_normal(sample.target, sample.prediction, _deviation(sample)))


def _squared_z(sample: Sample) -> np.ndarray:
    return _z(sample) ** 2


def _negative_log_likelihood(sample: Sample, counts: np.ndarray) -> np.ndarray:
    """Mean over rows, nats; of densities, so it may be negative."""
    rows = np.log(_deviation(sample) * np.sqrt(2 * np.pi)) + _z(sample) ** 2 / 2
    return rows @ counts.T / counts.sum(axis=1)


def _held(sample: Sample, counts: np.ndarray) -> np.ndarray:
    held = (np.abs(_z(sample)) <= _QUANTILE).astype(float)
    return held @ counts.T / counts.sum(axis=1)


def _miscalibration_area(sample: Sample, counts: np.ndarray) -> np.ndarray:
    """Area between the share of targets within a central interval and its nominal level, over all levels."""
    from scipy.special import ndtri

    bounds = ndtri((1 + _LEVELS) / 2)
    areas = []
    for z in np.abs(_z(sample)):
        share = counts @ (z[:, None] <= bounds).astype(float) / counts.sum(axis=1, keepdims=True)
        gaps = np.pad(np.abs(share - _LEVELS), ((0, 0), (1, 1)))  # at 0 and 1 there is none
        areas.append(np.trapezoid(gaps, dx=_LEVELS[0], axis=1))
    return np.stack(areas)


_metric = partial(Metric, prominent=False, needs_deviation=True)
CRPS = _metric(
    "crps",
    "CRPS",
    unit="target",
    loss=_crps,
    help="continuous ranked probability score of the stated normal distribution; the absolute error without one",
    order=210,
)
NLL = _metric(
    "nll",
    "NLL",
    resampled=_negative_log_likelihood,
    help="mean negative log likelihood of the stated normal distribution, nats",
    order=220,
)
INTERVAL_COVERAGE = _metric(
    "interval_coverage",
    "within 95 %",
    direction="higher",
    resampled=_held,
    help="share of the targets within 1.96 stated deviations of the prediction; 0.95 is right",
    order=230,
)
SQUARED_Z = _metric(
    "squared_z",
    "mean z2",
    loss=_squared_z,
    help="mean of (error / stated deviation) squared; 1 is right, more is overconfident",
    order=240,
)
MISCALIBRATION = _metric(
    "miscalibration_area",
    "miscalibration",
    resampled=_miscalibration_area,
    help="area between the calibration curve of stated intervals and the diagonal; 0 is right, 0.5 the worst",
    order=250,
)
