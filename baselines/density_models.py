"""Models of the distribution of density values in a slice, regardless of where they occur."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from ..benchmark.errors import ModelError
from ..tasks.composition import composition_features
from .feature_regressor import ForestRegressor

if TYPE_CHECKING:
    from datasets import Dataset


class DensityForest(ForestRegressor):
    """Extra trees on quantiles of the slice's density values.

    Args:
        trees: number of trees.
        quantiles: number of quantiles.
    """

    inputs: tuple[str, ...] = ("density",)

    def __init__(self, trees: int = 500, quantiles: int = 64) -> None:
        self.trees = trees
        self.quantiles = quantiles

    def features(self, data: Dataset) -> np.ndarray:
        """Quantiles of the density, e/A^3, shape (n, quantiles).

        Raises:
            ModelError: the dataset has no densities.
        """
        if "density" not in data.column_names:
            raise ModelError("This model needs a dataset with densities, such as ecd-fcc; this one has images only.")
        return density_quantiles(data["density"], self.quantiles)


class JointForest(DensityForest):
    """Extra trees on composition and density together: does the density add to what the formula says?

    Element statistics as in `composition-forest`, quantiles as in `density-forest`.

    Args:
        trees: number of trees.
        quantiles: number of quantiles.
    """

    inputs = ("formula", "density")

    def features(self, data: Dataset) -> np.ndarray:
        """Element statistics, then quantiles of the density, e/A^3."""
        return np.concatenate([composition_features(data["formula"]), super().features(data)], axis=1)


def density_quantiles(densities: Iterable[np.ndarray], count: int) -> np.ndarray:
    """Evenly spaced quantiles of each slice's values, in its unit, shape (n, count)."""
    stack = np.stack([np.ravel(density) for density in densities])
    return np.quantile(stack, np.linspace(0, 1, count), axis=1).T
