"""Predictors that know which densities occur in a slice, but not where."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..benchmark.composition import composition_features
from ..benchmark.errors import ModelError
from .features import density_quantiles
from .pipeline import FeatureRegressor

if TYPE_CHECKING:
    from datasets import Dataset


class DensityForest(FeatureRegressor):
    """Extra trees on quantiles of the slice's density values.

    Args:
        trees: how many.
        quantiles: how many.
    """

    inputs: tuple[str, ...] = ("density",)

    def __init__(self, trees: int = 500, quantiles: int = 64) -> None:
        self.trees = trees
        self.quantiles = quantiles

    def features(self, data: Dataset) -> np.ndarray:
        """Quantiles of the density, e/A^3."""
        if "density" not in data.column_names:
            raise ModelError("this model needs a dataset with densities, such as ecd-fcc; this one has images only.")
        return density_quantiles(data["density"], self.quantiles)

    def regressor(self, seed: int) -> Any:
        """Extremely randomised trees."""
        from sklearn.ensemble import ExtraTreesRegressor

        return ExtraTreesRegressor(self.trees, random_state=seed, n_jobs=-1)


class JointForest(DensityForest):
    """Extra trees on composition and density side by side: does the density add to what the formula says?

    Element statistics as for `composition-forest`, quantiles as for `density-forest`.
    """

    inputs = ("formula", "density")

    def features(self, data: Dataset) -> np.ndarray:
        """Element statistics, then quantiles of the density, e/A^3."""
        return np.concatenate([composition_features(data["formula"]), super().features(data)], axis=1)
