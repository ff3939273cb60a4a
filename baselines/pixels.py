"""Classical regressors on the image."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from .features import fourier_magnitudes, pixels
from .pipeline import FeatureRegressor

if TYPE_CHECKING:
    from datasets import Dataset

    from ..benchmark.predictor import RunContext


class _OnPixels(FeatureRegressor):
    """A regressor on RGB pixels.

    Args:
        width: images are reduced to this width.
    """

    inputs = ("image",)

    def __init__(self, width: int = 98) -> None:
        self.width = width

    def features(self, data: Dataset) -> np.ndarray:
        """Pixels in 0 to 1."""
        return pixels(data["image"], self.width).reshape(len(data), -1)


class PixelRidge(_OnPixels):
    """Ridge regression on RGB pixels; its penalty is chosen by leave-one-out on the training rows.

    Args:
        width: images are reduced to this width.
    """

    def regressor(self, seed: int) -> Any:
        """Ridge with generalised cross-validation."""
        from sklearn.linear_model import RidgeCV

        return RidgeCV(np.logspace(-1, 5, 25))


class NearestImage(_OnPixels):
    """The target of the most similar training image: what a look-up reaches.

    Args:
        width: images are reduced to this width.
    """

    def __init__(self, width: int = 49) -> None:
        super().__init__(width)

    def regressor(self, seed: int) -> Any:
        """One nearest neighbour by pixel distance."""
        from sklearn.neighbors import KNeighborsRegressor

        return KNeighborsRegressor(1)


class FourierGPR(FeatureRegressor):
    """Gaussian process (Matern 3/2 and noise) on the magnitudes of the image's Fourier transform.

    Args:
        width: images are reduced to this width.
    """

    inputs = ("image",)

    def __init__(self, width: int = 98) -> None:
        self.width = width

    def features(self, data: Dataset) -> np.ndarray:
        """Log magnitudes of the low frequencies."""
        return fourier_magnitudes(pixels(data["image"], self.width))

    def fit(self, train: Dataset, validation: Dataset, context: RunContext) -> None:
        """Fit; a hyper-parameter at its bound (no noise, say) is an answer, not a failure to converge."""
        from sklearn.exceptions import ConvergenceWarning

        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            super().fit(train, validation, context)

    def regressor(self, seed: int) -> Any:
        """Standardised features, Matern kernel, hyper-parameters by marginal likelihood."""
        from sklearn.gaussian_process import GaussianProcessRegressor
        from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        kernel = ConstantKernel(1.0, (1e-3, 1e3)) * Matern(50.0, (1.0, 1e4), nu=1.5) + WhiteKernel(0.1, (1e-4, 1e1))
        return make_pipeline(
            StandardScaler(),
            GaussianProcessRegressor(kernel, normalize_y=True, n_restarts_optimizer=2, random_state=seed),
        )
