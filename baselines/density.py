"""A predictor that knows which densities occur in a slice, but not where."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

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

    inputs = ("density",)

    def __init__(self, trees: int = 500, quantiles: int = 64) -> None:
        self.trees = trees
        self.quantiles = quantiles

    def features(self, data: Dataset) -> np.ndarray:
        """Quantiles of the density, e/A^3."""
        if "density" not in data.column_names:
            raise ModelError(
                "density-forest needs a dataset with densities, such as ecd-fcc; this one has images only."
            )
        return density_quantiles(data["density"], self.quantiles)

    def regressor(self, seed: int) -> Any:
        """Extremely randomised trees."""
        from sklearn.ensemble import ExtraTreesRegressor

        return ExtraTreesRegressor(self.trees, random_state=seed, n_jobs=-1)
