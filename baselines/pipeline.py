"""What the classical baselines share: a scikit-learn regressor on a matrix of features."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from datasets import Dataset

    from ..benchmark.predictor import RunContext


class FeatureRegressor:
    """Base of the classical baselines: a subclass says what the features and the regressor are.

    Attributes:
        inputs: the columns it looks at.
    """

    inputs: tuple[str, ...] = ()

    def features(self, data: Dataset) -> np.ndarray:
        """Features, shape (n, k)."""
        raise NotImplementedError

    def regressor(self, seed: int) -> Any:
        """A scikit-learn regressor that has not been fitted."""
        raise NotImplementedError

    def fit(self, train: Dataset, validation: Dataset, context: RunContext) -> None:
        """Fit on the training rows; validation rows are not used."""
        self._fitted = self.regressor(context.seed).fit(self.features(train), np.asarray(train["target"]))

    def predict(self, data: Dataset) -> np.ndarray:
        """Predict, shape (n,)."""
        return np.asarray(self._fitted.predict(self.features(data)))
