"""Predictors that know what a crystal is made of, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..benchmark.composition import composition_features
from .pipeline import FeatureRegressor

if TYPE_CHECKING:
    from datasets import Dataset


class _OnComposition(FeatureRegressor):
    """A regressor on element statistics of the formula."""

    inputs = ("formula",)

    def features(self, data: Dataset) -> np.ndarray:
        """Element statistics."""
        return composition_features(data["formula"])


class KnnComposition(_OnComposition):
    """The distance-weighted mean of the nearest compositions.

    Args:
        neighbours: how many.
    """

    def __init__(self, neighbours: int = 5) -> None:
        self.neighbours = neighbours

    def regressor(self, seed: int) -> Any:
        """Standardised nearest neighbours."""
        from sklearn.neighbors import KNeighborsRegressor
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        return make_pipeline(StandardScaler(), KNeighborsRegressor(self.neighbours, weights="distance"))


class CompositionForest(_OnComposition):
    """Extra trees on the statistics of the elements' properties.

    Args:
        trees: how many.
    """

    def __init__(self, trees: int = 500) -> None:
        self.trees = trees

    def regressor(self, seed: int) -> Any:
        """Extremely randomised trees."""
        from sklearn.ensemble import ExtraTreesRegressor

        return ExtraTreesRegressor(self.trees, random_state=seed, n_jobs=-1)
