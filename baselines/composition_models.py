"""Models of the chemical formula alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..tasks.composition import composition_features
from .feature_regressor import FeatureRegressor, ForestRegressor

if TYPE_CHECKING:
    from datasets import Dataset


class _CompositionRegressor(FeatureRegressor):
    """A regressor on element statistics of the formula."""

    inputs = ("formula",)

    def features(self, data: Dataset) -> np.ndarray:
        """Element statistics, shape (n, k)."""
        return composition_features(data["formula"])


class KnnComposition(_CompositionRegressor):
    """Distance-weighted mean of the nearest compositions.

    Args:
        neighbours: number of neighbours.
    """

    def __init__(self, neighbours: int = 5) -> None:
        self.neighbours = neighbours

    def regressor(self, seed: int) -> Any:
        """Nearest neighbours on standardised features."""
        from sklearn.neighbors import KNeighborsRegressor
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        return make_pipeline(StandardScaler(), KNeighborsRegressor(self.neighbours, weights="distance"))


class CompositionForest(ForestRegressor, _CompositionRegressor):
    """Extra trees on element statistics of the formula.

    Args:
        trees: number of trees.
    """

    def __init__(self, trees: int = 500) -> None:
        self.trees = trees
