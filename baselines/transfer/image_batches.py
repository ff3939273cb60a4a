"""Images as batches for a network: decoding, size, and the paper's augmentation (flips, rotation up to 0.2 turns)."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from ...benchmark.errors import DataError, ModelError
from ...benchmark.feature_store import content_key

if TYPE_CHECKING:
    import torch
    from datasets import Dataset

MAX_WIDTH = 196
MIN_SIDE = 75  # the paper's images are 196 x 75
MAX_TURN = 0.2
AUGMENTATION = f"flips, rotation up to {MAX_TURN} of a turn, mirrored edges"  # part of the features' cache key


@dataclass(frozen=True)
class StoredImages:
    """The images of a table, read one at a time."""

    data: Dataset

    @cached_property
    def _cells(self) -> Dataset:
        return self.data.select_columns(["image"]).with_format("arrow")  # as stored: nothing is decoded or copied

    def __len__(self) -> int:
        return len(self.data)

    def content(self, row: int) -> bytes:
        """The bytes of one image, as stored."""
        cell = self._cells[row]["image"][0].as_py()
        if cell["bytes"] is not None:
            return bytes(cell["bytes"])
        with open(cell["path"], "rb") as file:  # noqa: PTH123 - datasets opens paths inside archives too
            return file.read()

    @cached_property
    def keys(self) -> list[bytes]:
        """Content key of every image."""
        return [content_key(self.content(row)) for row in range(len(self))]

    def decode(self, row: int) -> Image.Image:
        """One image.

        Raises:
            DataError: it cannot be decoded.
        """
        try:
            return Image.open(io.BytesIO(self.content(row)))
        except OSError as error:
            raise DataError(f"Image {row} of the data cannot be decoded ({error}); load the dataset again.") from error


@dataclass(frozen=True)
class ImageReader:
    """Turns stored images into what a network takes.

    Attributes:
        size: height and width that the network sees.
        normalise: scales the colours of a batch.
        device: where batches go.
    """

    size: tuple[int, int]
    normalise: Callable[[torch.Tensor], torch.Tensor]
    device: str

    def batch(self, images: StoredImages, rows: np.ndarray) -> torch.Tensor:
        """Some images as a channels-last tensor, shape (n, 3, height, width), values 0 to 1."""
        import torch

        stack = np.stack([resize(images.decode(int(row)), self.size) for row in rows])
        return torch.from_numpy(stack).to(self.device).permute(0, 3, 1, 2).float() / 255


@dataclass(frozen=True)
class ImageSource:
    """Images for a network that is trained down to its first layer; augmented on the fly in training."""

    images: StoredImages
    reader: ImageReader

    def __len__(self) -> int:
        return len(self.images)

    def batch(self, rows: np.ndarray, training: bool) -> tuple[torch.Tensor, ...]:
        """Normalised images of these rows."""
        import torch

        batch = self.reader.batch(self.images, rows)
        if training:
            batch = random_views(batch)
        return (self.reader.normalise(batch).contiguous(memory_format=torch.channels_last),)


def parse_size(size: Any) -> tuple[int, int] | None:
    """Parse `WIDTHxHEIGHT` to (height, width); None stays None.

    Raises:
        ModelError: the size is invalid.
    """
    if size is None:
        return None
    parts = str(size).lower().split("x")
    if len(parts) != 2 or not all(part.isdigit() and 0 < int(part) <= 4096 for part in parts):
        raise ModelError(f"Invalid size {size!r}: write WIDTHxHEIGHT, as in size=196x75.")
    return int(parts[1]), int(parts[0])


def default_size(height: int, width: int) -> tuple[int, int]:
    """Height and width that a network sees by default: the image's aspect ratio, at most 196 wide.

    Shrinking makes no side shorter than 75: a 146 x 392 image becomes 75 x 196, as in the paper.
    """
    scale = min(1.0, MAX_WIDTH / width)
    return max(round(height * scale), min(height, MIN_SIDE)), max(round(width * scale), min(width, MIN_SIDE))


def resize(image: Image.Image, size: tuple[int, int]) -> np.ndarray:
    """An image at this height and width as RGB bytes, shape (height, width, 3); shrunk by area averaging."""
    height, width = size
    image = image.convert("RGB")
    shrinks = width <= image.width and height <= image.height
    method = Image.Resampling.BOX if shrinks else Image.Resampling.BICUBIC
    return np.asarray(image.resize((width, height), method))


def bank_of_views(images: torch.Tensor, keys: Sequence[bytes], views: int) -> torch.Tensor:
    """Augmented views of each image; an image always gets the same ones.

    Args:
        images: shape (n, 3, height, width).
        keys: content key of each image, which seeds its random numbers.
        views: number of views per image.

    Returns:
        Shape (n * views, 3, height, width); the views of an image are adjacent.
    """
    draws = [np.random.default_rng(np.frombuffer(key, np.uint32)).random((views, 3)) for key in keys]
    return _transform(images.repeat_interleave(views, dim=0), np.concatenate(draws))


def random_views(images: torch.Tensor) -> torch.Tensor:
    """One augmented view of each image, shape (n, 3, height, width); torch's generator draws it."""
    import torch

    return _transform(images, torch.rand(len(images), 3).numpy())


def _transform(images: torch.Tensor, draws: np.ndarray) -> torch.Tensor:
    """Rotate and flip by uniform draws from 0 to 1, shape (n, 3): rotation, horizontal flip, vertical flip."""
    import torch
    from torch.nn.functional import affine_grid, grid_sample

    height, width = images.shape[2:]
    angle = 2 * np.pi * MAX_TURN * (2 * draws[:, 0] - 1)
    flip = np.where(draws[:, 1:] < 0.5, -1.0, 1.0)
    # affine_grid runs from -1 to 1 along both sides, so the rotation of a wide image has to include its aspect ratio.
    rows = [
        [np.cos(angle) * flip[:, 0], -np.sin(angle) * flip[:, 1] * height / width],
        [np.sin(angle) * flip[:, 0] * width / height, np.cos(angle) * flip[:, 1]],
    ]
    matrix = np.zeros((len(images), 2, 3), dtype=np.float32)
    matrix[:, :, :2] = np.moveaxis(np.array(rows), 2, 0)
    theta = torch.from_numpy(matrix).to(images.device)
    grid = affine_grid(theta, list(images.shape), align_corners=False)
    return grid_sample(images, grid, mode="bilinear", padding_mode="reflection", align_corners=False)
