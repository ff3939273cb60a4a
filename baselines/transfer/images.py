"""Images for a network: their size, and the augmentation of the paper (flips, rotation up to 0.2 of a turn)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from ...benchmark.errors import ModelError

if TYPE_CHECKING:
    import torch

MAX_WIDTH = 196
MIN_SIDE = 75  # the paper's 196 x 75
MAX_TURN = 0.2
AUGMENTATION = f"flips, rotation up to {MAX_TURN} of a turn, mirrored edges"


def parse_size(size: Any) -> tuple[int, int] | None:
    """`WIDTHxHEIGHT` as (height, width).

    Raises:
        ModelError: it is something else.
    """
    if size is None:
        return None
    parts = str(size).lower().split("x")
    if len(parts) != 2 or not all(part.isdigit() and 0 < int(part) <= 4096 for part in parts):
        raise ModelError(f"size={size!r} is no size; write WIDTHxHEIGHT, as in size=196x75.")
    return int(parts[1]), int(parts[0])


def fitting_size(height: int, width: int) -> tuple[int, int]:
    """The size a network sees: at most 196 wide at the image's own aspect ratio, but no side below 75 by that.

    Returns:
        Height and width. A 146 x 392 image becomes 75 x 196, as in the paper.
    """
    scale = min(1.0, MAX_WIDTH / width)
    return max(round(height * scale), min(height, MIN_SIDE)), max(round(width * scale), min(width, MIN_SIDE))


def to_size(image: Image.Image, size: tuple[int, int]) -> np.ndarray:
    """An RGB image of this height and width as bytes, shape (height, width, 3), by averaging over areas."""
    height, width = size
    image = image.convert("RGB")
    shrinks = width <= image.width and height <= image.height
    method = Image.Resampling.BOX if shrinks else Image.Resampling.BICUBIC
    return np.asarray(image.resize((width, height), method))


def to_batch(images: Sequence[np.ndarray], device: str) -> torch.Tensor:
    """Images as a channels-last tensor (n, 3, height, width), values 0 to 1."""
    import torch

    stack = torch.from_numpy(np.stack(images)).to(device)
    return stack.permute(0, 3, 1, 2).float() / 255


def bank_of_views(images: torch.Tensor, keys: Sequence[bytes], views: int) -> torch.Tensor:
    """Augmented views of each image, the same ones whenever it comes along.

    Args:
        images: shape (n, 3, height, width).
        keys: content key of each image; draws come from them.
        views: how many of each.

    Returns:
        Shape (n * views, 3, height, width), the views of an image together.
    """
    draws = [np.random.default_rng(np.frombuffer(key, np.uint32)).random((views, 3)) for key in keys]
    return _transformed(images.repeat_interleave(views, dim=0), np.concatenate(draws))


def random_views(images: torch.Tensor) -> torch.Tensor:
    """One augmented view of each image, shape (n, 3, height, width), drawn from torch's generator."""
    import torch

    return _transformed(images, torch.rand(len(images), 3).numpy())


def _transformed(images: torch.Tensor, draws: np.ndarray) -> torch.Tensor:
    """Turn and flip; `draws`, shape (n, 3), are uniform in 0 to 1: turn, horizontal flip, vertical flip."""
    import torch
    from torch.nn.functional import affine_grid, grid_sample

    height, width = images.shape[2:]
    angle = 2 * np.pi * MAX_TURN * (2 * draws[:, 0] - 1)
    flip = np.where(draws[:, 1:] < 0.5, -1.0, 1.0)
    # affine_grid counts from -1 to 1 along either side, so a turn of a wide image is no turn there.
    rows = [
        [np.cos(angle) * flip[:, 0], -np.sin(angle) * flip[:, 1] * height / width],
        [np.sin(angle) * flip[:, 0] * width / height, np.cos(angle) * flip[:, 1]],
    ]
    matrix = np.zeros((len(images), 2, 3), dtype=np.float32)
    matrix[:, :, :2] = np.moveaxis(np.array(rows), 2, 0)
    theta = torch.from_numpy(matrix).to(images.device)
    grid = affine_grid(theta, list(images.shape), align_corners=False)
    return grid_sample(images, grid, mode="bilinear", padding_mode="reflection", align_corners=False)
