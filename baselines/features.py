"""Features of images and slices, one row per sample."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from PIL import Image


def resized(image: Image.Image, width: int) -> Image.Image:
    """An RGB image no wider than `width`, at its own aspect ratio, by averaging over areas.

    A 392 x 146 image becomes 196 x 73 by the mean of 2 x 2 pixels, as with OpenCV's INTER_AREA.
    """
    image = image.convert("RGB")
    if image.width <= width:
        return image
    if image.width % width == 0:
        return image.reduce(image.width // width)
    height = round(image.height * width / image.width)
    return image.resize((width, height), Image.Resampling.BOX)


def pixels(images: Iterable[Image.Image], width: int) -> np.ndarray:
    """RGB values in 0 to 1, shape (n, height, width, 3)."""
    return np.stack([np.asarray(resized(image, width), dtype=np.float32) / 255 for image in images])


def density_quantiles(densities: Iterable[np.ndarray], count: int) -> np.ndarray:
    """Evenly spaced quantiles of each slice's values, e/A^3, shape (n, count)."""
    stack = np.stack([np.ravel(density) for density in densities])
    return np.quantile(stack, np.linspace(0, 1, count), axis=1).T


def fourier_magnitudes(images: np.ndarray) -> np.ndarray:
    """Magnitudes of the low-frequency quarter of each image's Fourier transform, grey levels, log scale.

    Args:
        images: shape (n, height, width, 3), 0 to 1.

    Returns:
        Shape (n, features). Magnitudes do not change when the picture is shifted.
    """
    grey = images.mean(axis=-1)
    spectrum = np.abs(np.fft.rfft2(grey - grey.mean(axis=(1, 2), keepdims=True)))
    quarter = images.shape[1] // 4
    rows = np.r_[0:quarter, -quarter:0]
    return np.log1p(spectrum[:, rows, : images.shape[2] // 4]).reshape(len(images), -1)
