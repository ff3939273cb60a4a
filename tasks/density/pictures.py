"""Planes of a density as pictures: colour map, colour scale, noise threshold, PNG encoding, and how they are opened."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from ...benchmark.errors import DataError
from ..limits import MOST_PIXELS

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
    "promolecule": RenderSettings("viridis", (0.0, 0.6)),
}


def is_noise(density: np.ndarray) -> bool:
    """Whether a density is numerical noise throughout; its picture is flagged, and its contrast never stretched."""
    return bool(np.abs(density).max() < NOISE_LEVEL)


def render(density: np.ndarray, settings: RenderSettings) -> np.ndarray:
    """Colour a plane: shape (n, n) in e/A^3 to RGB of shape (n, n, 3), uint8."""
    low, high = settings.limits
    level = np.clip((density.astype(np.float64) - low) / (high - low) * 255, 0, 255).round().astype(np.uint8)
    return _colours(settings.colour_map)[level]


def encode_png(pixels: np.ndarray) -> bytes:
    """Encode RGB pixels, shape (height, width, 3), as PNG."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="PNG", optimize=False, compress_level=1)
    return buffer.getvalue()


def open_picture(content: bytes, size: tuple[int | None, ...] = ()) -> Any:
    """A PNG or JPEG as a PIL image whose header was read; of other formats, Pillow opens some with other programs.

    Args:
        content: the bytes of the file.
        size: height and width that it must have; None, or an empty tuple, where they may vary.

    Raises:
        DataError: it is of another format or size, or has more than `MOST_PIXELS`.
    """
    from PIL import Image

    try:
        picture = Image.open(io.BytesIO(content), formats=("PNG", "JPEG"))
    except MemoryError:
        raise
    except Exception as error:
        raise DataError(f"the picture is no PNG or JPEG that can be read ({type(error).__name__}).") from error
    width, height = picture.size
    if width * height > MOST_PIXELS:
        raise DataError(f"the picture has {width:,} x {height:,} pixels; at most {MOST_PIXELS:,} are read.")
    if any(want not in (None, found) for want, found in zip(size, (height, width), strict=False)):
        raise DataError(f"the picture has {width} x {height} pixels, not {size[1]} x {size[0]} as the manifest states.")
    return picture


@cache
def _colours(name: str) -> np.ndarray:
    """The 256 colours of a map, shape (256, 3), uint8. matplotlib, where they are from, is not always installed."""
    maps = json.loads((Path(__file__).parent / "colour_maps.json").read_text(encoding="utf-8"))
    return np.frombuffer(bytes.fromhex(maps[name]), dtype=np.uint8).reshape(256, 3)
