"""The floor: models that use nothing but the training targets."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from datasets import Dataset

    from ..benchmark.predictor import RunContext


class _Constant:
    """Predicts one statistic of the training targets for every row."""

    inputs = ()
    statistic: Callable[[np.ndarray], Any]

    def fit(self, train: Dataset, validation: Dataset, context: RunContext) -> None:
        """Compute the statistic."""
        targets = np.asarray(train["target"], dtype=float)
        self._value = float(self.statistic(targets))
        self._deviation = float(np.sqrt(np.mean((targets - self._value) ** 2)))

    def predict(self, data: Dataset) -> np.ndarray:
        """Predict it for every row, shape (n,)."""
        return np.full(len(data), self._value)

    def predict_std(self, data: Dataset) -> np.ndarray:
        """The root mean square deviation of the training targets from it, shape (n,)."""
        return np.full(len(data), self._deviation)


class Mean(_Constant):
    """Predicts the mean of the training targets; for 0/1 targets, the share of class 1."""

    statistic = staticmethod(np.mean)


class Median(_Constant):
    """Predicts the median of the training targets."""

    statistic = staticmethod(np.median)
