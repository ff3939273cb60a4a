"""The base of the classical baselines: a scikit-learn regressor on a matrix of features."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from datasets import Dataset

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


class ForestRegressor(FeatureRegressor):
    """Extremely randomised trees on features.

    The deviation that it states is how far the trees disagree, and at least the error that nine tenths of the
    validation rows exceed: on features that were learnt from, all trees agree, and are not right for that.

    Attributes:
        trees: number of trees.
    """

    trees: int

    def regressor(self, seed: int) -> Any:
        """Extremely randomised trees."""
        from sklearn.ensemble import ExtraTreesRegressor

        return ExtraTreesRegressor(self.trees, random_state=seed, n_jobs=-1)

    def fit(self, train: Dataset, validation: Dataset, context: RunContext) -> None:
        """Fit on the training rows; validation rows say how far off the trees are where they agree."""
        super().fit(train, validation, context)
        self._least = float(np.quantile(np.abs(self.predict(validation) - np.asarray(validation["target"])), 0.1))

    def predict_std(self, data: Dataset) -> np.ndarray | None:
        """Standard deviations, shape (n,); None for classification."""
        if self._is_classification:
            return None
        features = self.features(data)
        spread = np.std([tree.predict(features) for tree in self._fitted.estimators_], axis=0)
        return np.maximum(spread, self._least)
