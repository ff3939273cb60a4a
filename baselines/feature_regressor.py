"""The base of the classical baselines: a scikit-learn regressor on a matrix of features."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from datasets import Dataset
    from sklearn.ensemble import ExtraTreesRegressor

    from ..benchmark.predictor import RunContext


class FeatureRegressor:
    """Fits a regressor on features; a subclass defines both.

    For binary classification the regressor is fitted to the 0/1 target, and its predictions are clipped to 0 to 1: the
    regression of a 0/1 target estimates the probability of class 1.

    Attributes:
        inputs: the columns that the features are made from.
    """

    inputs: tuple[str, ...] = ()
    _is_classification = False

    def features(self, data: Dataset) -> np.ndarray:
        """Features, shape (n, k)."""
        raise NotImplementedError

    def regressor(self, seed: int) -> Any:
        """An unfitted scikit-learn regressor."""
        raise NotImplementedError

    def fit(self, train: Dataset, validation: Dataset, context: RunContext) -> None:
        """Fit on the training rows; validation rows are not used."""
        self._is_classification = context.kind == "classification"
        self._fitted = self.regressor(context.seed).fit(self.features(train), np.asarray(train["target"]))

    def predict(self, data: Dataset) -> np.ndarray:
        """Predictions, shape (n,): in the task's unit, or probabilities."""
        predictions = np.asarray(self._fitted.predict(self.features(data)))
        return np.clip(predictions, 0, 1) if self._is_classification else predictions


def extra_trees(trees: int, seed: int) -> ExtraTreesRegressor:
    """Extremely randomised trees, unfitted."""
    from sklearn.ensemble import ExtraTreesRegressor

    return ExtraTreesRegressor(trees, random_state=seed, n_jobs=-1)
