"""Features of images, one row per sample."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from PIL import Image


def reduce_width(image: Image.Image, width: int) -> Image.Image:
    """Shrink an image to `width` at its own aspect ratio by area averaging, as RGB; smaller images keep their size.

    A 392 x 146 image becomes 196 x 73 by averaging 2 x 2 pixels, as with OpenCV's INTER_AREA.
    """
    image = image.convert("RGB")
    if image.width <= width:
        return image
    if image.width % width == 0:
        return image.reduce(image.width // width)
    height = round(image.height * width / image.width)
    return image.resize((width, height), Image.Resampling.BOX)


def pixels(images: Iterable[Image.Image], width: int) -> np.ndarray:
    """RGB values from 0 to 1, shape (n, height, width, 3), float32."""
    return np.stack([np.asarray(reduce_width(image, width), dtype=np.float32) / 255 for image in images])


def fourier_magnitudes(images: np.ndarray) -> np.ndarray:
    """Log magnitudes of the low-frequency quarter of each image's Fourier transform, in grey levels.

    They do not change when the picture is shifted.

    Args:
        images: shape (n, height, width, 3), values 0 to 1.

    Returns:
        Shape (n, k).
    """
    grey = images.mean(axis=-1)
    spectrum = np.abs(np.fft.rfft2(grey - grey.mean(axis=(1, 2), keepdims=True)))
    quarter = images.shape[1] // 4
    rows = np.r_[0:quarter, -quarter:0]
    return np.log1p(spectrum[:, rows, : images.shape[2] // 4]).reshape(len(images), -1)
