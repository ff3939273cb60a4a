"""Slices as pictures: colour map, colour scale, noise threshold, PNG encoding."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
from PIL import Image

from ...benchmark.errors import MissingExtraError

# Below this amplitude (e/A^3) a spin or deformation density is numerical noise.
NOISE_LEVEL = 1e-3


@dataclass(frozen=True)
class RenderSettings:
    """How densities map to colours.

    Attributes:
        colour_map: name of a matplotlib colour map.
        limits: densities at the two ends of the map, e/A^3; values beyond them are clipped. All crystals share one
            scale, so colours are comparable; the cores, which depend on the pseudopotential, saturate.
    """

    colour_map: str
    limits: tuple[float, float]


RENDERING = {
    "total": RenderSettings("viridis", (0.0, 0.6)),
    "spin": RenderSettings("RdBu_r", (-0.5, 0.5)),
    "deformation": RenderSettings("RdBu_r", (-0.1, 0.1)),
}


def is_noise(density: np.ndarray) -> bool:
    """Whether a slice is numerical noise throughout; such a picture is flagged, and its contrast never stretched."""
    return bool(np.abs(density).max() < NOISE_LEVEL)


def render(density: np.ndarray, settings: RenderSettings) -> np.ndarray:
    """Colour a slice: shape (n, n) in e/A^3 to RGB of shape (n, n, 3), uint8."""
    try:
        from matplotlib import colormaps
    except ImportError as error:
        raise MissingExtraError("Rendering slices", "build") from error
    low, high = settings.limits
    table = (colormaps[settings.colour_map](np.arange(256))[:, :3] * 255).round().astype(np.uint8)
    level = np.clip((density.astype(np.float64) - low) / (high - low) * 255, 0, 255).round().astype(np.uint8)
    return table[level]


def encode_png(pixels: np.ndarray) -> bytes:
    """Encode RGB pixels, shape (height, width, 3), as PNG."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="PNG", optimize=False, compress_level=9)
    return buffer.getvalue()
