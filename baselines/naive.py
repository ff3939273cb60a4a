"""The floor: predictors that look at nothing but the training targets."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from datasets import Dataset

    from ..benchmark.predictor import RunContext


class Mean:
    """Predicts the mean of the training targets."""

    inputs = ()

    def fit(self, train: Dataset, validation: Dataset, context: RunContext) -> None:
        """Take the mean."""
        self._value = float(np.mean(train["target"]))

    def predict(self, data: Dataset) -> np.ndarray:
        """Predict it for every row, shape (n,)."""
        return np.full(len(data), self._value)


class Median:
    """Predicts the median of the training targets."""

    inputs = ()

    def fit(self, train: Dataset, validation: Dataset, context: RunContext) -> None:
        """Take the median."""
        self._value = float(np.median(train["target"]))

    def predict(self, data: Dataset) -> np.ndarray:
        """Predict it for every row, shape (n,)."""
        return np.full(len(data), self._value)
