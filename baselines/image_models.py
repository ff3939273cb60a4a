"""Classical models of the image."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from .feature_regressor import FeatureRegressor
from .image_features import fourier_magnitudes, pixels

if TYPE_CHECKING:
    from datasets import Dataset

    from ..benchmark.predictor import RunContext


class _ImageRegressor(FeatureRegressor):
    """A regressor on the image; on its RGB pixels, unless a subclass defines other features."""

    inputs = ("image",)

    def __init__(self, width: int = 98) -> None:
        self.width = width

    def features(self, data: Dataset) -> np.ndarray:
        """Pixel values from 0 to 1, shape (n, k)."""
        return pixels(data["image"], self.width).reshape(len(data), -1)


class PixelRidge(_ImageRegressor):
    """Ridge regression on RGB pixels; leave-one-out on the training rows chooses the penalty.

    Args:
        width: images are reduced to this width.
    """

    def regressor(self, seed: int) -> Any:
        """Ridge regression with cross-validated penalty."""
        from sklearn.linear_model import RidgeCV

        return RidgeCV(np.logspace(-1, 5, 25))


class NearestImage(_ImageRegressor):
    """The target of the most similar training image: what a lookup achieves.

    Args:
        width: images are reduced to this width.
    """

    def __init__(self, width: int = 49) -> None:
        super().__init__(width)

    def regressor(self, seed: int) -> Any:
        """The nearest neighbour by pixel distance."""
        from sklearn.neighbors import KNeighborsRegressor

        return KNeighborsRegressor(1)


class FourierGPR(_ImageRegressor):
    """Gaussian process (Matern 3/2 kernel and noise) on the magnitudes of the image's Fourier transform.

    Args:
        width: images are reduced to this width.
    """

    def features(self, data: Dataset) -> np.ndarray:
        """Log magnitudes of the low frequencies, shape (n, k)."""
        return fourier_magnitudes(pixels(data["image"], self.width))

    def fit(self, train: Dataset, validation: Dataset, context: RunContext) -> None:
        """Fit; a kernel parameter at its bound (no noise, say) is a valid result, so that warning is silenced."""
        from sklearn.exceptions import ConvergenceWarning

        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            super().fit(train, validation, context)

    def predict_std(self, data: Dataset) -> np.ndarray | None:
        """Standard deviations of the process, its noise included, shape (n,); None for classification."""
        if self._is_classification:
            return None
        return np.asarray(self._fitted.predict(self.features(data), return_std=True)[1])

    def regressor(self, seed: int) -> Any:
        """A Gaussian process on standardised features; marginal likelihood chooses the kernel parameters."""
        from sklearn.gaussian_process import GaussianProcessRegressor
        from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        kernel = ConstantKernel(1.0, (1e-3, 1e3)) * Matern(50.0, (1.0, 1e4), nu=1.5) + WhiteKernel(0.1, (1e-4, 1e1))
        return make_pipeline(
            StandardScaler(),
            GaussianProcessRegressor(kernel, normalize_y=True, n_restarts_optimizer=2, random_state=seed),
        )
