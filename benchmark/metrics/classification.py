"""Metrics of probabilities for a binary target: log loss, ROC AUC, balanced accuracy."""

from __future__ import annotations

import numpy as np

from . import Metric, Sample

# A probability of 0 or 1 that turns out wrong would cost infinitely much; this bounds it to 13.8 nats.
_CLIP = 1e-6
_THRESHOLD = 0.5


def _log_loss(sample: Sample) -> np.ndarray:
    """Negative log-likelihood, nats; probabilities are clipped to [1e-6, 1 - 1e-6]."""
    p = np.clip(sample.prediction, _CLIP, 1 - _CLIP)
    return -np.where(sample.target > _THRESHOLD, np.log(p), np.log1p(-p))


def _balanced_accuracy(sample: Sample, counts: np.ndarray) -> np.ndarray:
    """Mean of the shares of positive and negative rows that are classified correctly at a threshold of 0.5; NaN
    where there is one class only."""
    positive = sample.target > _THRESHOLD
    said = sample.prediction >= _THRESHOLD
    with np.errstate(divide="ignore", invalid="ignore"):
        sensitivity = (said & positive).astype(float) @ counts.T / (positive.astype(float) @ counts.T)
        specificity = (~said & ~positive).astype(float) @ counts.T / ((~positive).astype(float) @ counts.T)
    return (sensitivity + specificity) / 2


def _roc_auc(sample: Sample, counts: np.ndarray) -> np.ndarray:
    """The chance that a positive row is given a higher probability than a negative one, ties counting half; NaN
    where there is one class only."""
    return np.stack([_auc(sample.target, one, counts) for one in sample.prediction])


def _auc(target: np.ndarray, prediction: np.ndarray, counts: np.ndarray) -> np.ndarray:
    order = np.argsort(prediction, kind="stable")
    ranked, weights = prediction[order], counts[:, order]
    positive = target[order] > _THRESHOLD
    negatives = np.pad(np.cumsum(weights * ~positive, axis=1), ((0, 0), (1, 0)))
    below = negatives[:, np.searchsorted(ranked, ranked, side="left")]
    up_to = negatives[:, np.searchsorted(ranked, ranked, side="right")]
    wins = (weights * positive * (below + up_to) / 2).sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return wins / ((weights * positive).sum(axis=1) * negatives[:, -1])


LOG_LOSS = Metric(
    "log_loss",
    "log loss",
    kinds=("classification",),
    loss=_log_loss,
    help="mean negative log-likelihood of the class, nats",
    order=110,
)
ROC_AUC = Metric(
    "roc_auc",
    "ROC AUC",
    direction="higher",
    kinds=("classification",),
    resampled=_roc_auc,
    help="chance that a positive row is ranked above a negative one; 0.5 for a guess",
    order=120,
)
BALANCED_ACCURACY = Metric(
    "balanced_accuracy",
    "balanced accuracy",
    direction="higher",
    kinds=("classification",),
    resampled=_balanced_accuracy,
    help="mean of sensitivity and specificity at a probability of 0.5",
    order=130,
)
