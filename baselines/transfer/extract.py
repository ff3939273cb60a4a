"""Features of images through the frozen part of a network, computed once and kept by content."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from ...benchmark.errors import DataError
from ...benchmark.features import FeatureRows, content_key
from ..training.memory import Halving
from . import images as pictures

if TYPE_CHECKING:
    import torch
    from datasets import Dataset

    from ...benchmark.predictor import RunContext

# From tensors to features, shape (n, ...).
Network = Callable[..., "torch.Tensor"]
_BATCH = 64


@dataclass(frozen=True)
class StoredImages:
    """The images of some rows, read one at a time."""

    data: Dataset

    @cached_property
    def _cells(self) -> Dataset:
        return self.data.select_columns(["image"]).with_format("arrow")  # as stored: nothing is decoded or copied

    def __len__(self) -> int:
        return len(self.data)

    def content(self, row: int) -> bytes:
        """One image as it is stored."""
        cell = self._cells[row]["image"][0].as_py()
        if cell["bytes"] is not None:
            return bytes(cell["bytes"])
        with open(cell["path"], "rb") as file:  # noqa: PTH123 - datasets opens paths inside archives too
            return file.read()

    @cached_property
    def keys(self) -> list[bytes]:
        """Content key of every image."""
        return [content_key(self.content(row)) for row in range(len(self))]

    def decoded(self, row: int) -> Image.Image:
        """One image.

        Raises:
            DataError: it cannot be decoded.
        """
        try:
            return Image.open(io.BytesIO(self.content(row)))
        except OSError as error:
            raise DataError(f"Image {row} of the data cannot be decoded ({error}); load the dataset again.") from error

    def resized(self, row: int, size: tuple[int, int]) -> np.ndarray:
        """One image at a height and width, bytes, shape (height, width, 3)."""
        return pictures.to_size(self.decoded(row), size)


@dataclass(frozen=True)
class ImageReader:
    """How images become what a network takes.

    Attributes:
        size: height and width.
        normalise: scales colours.
        device: where batches go.
    """

    size: tuple[int, int]
    normalise: Callable[[torch.Tensor], torch.Tensor]
    device: str

    def batch(self, images: StoredImages, rows: np.ndarray) -> torch.Tensor:
        """Some images, shape (n, 3, height, width), values 0 to 1."""
        return pictures.to_batch([images.resized(int(row), self.size) for row in rows], self.device)


@dataclass(frozen=True)
class Extractor:
    """Features of images by a frozen network, from the store of a run.

    Attributes:
        network: gives the network, on its device; called when there is something to compute.
        recipe: what features depend on besides the image.
        reader: how images are read.
        context: the run.
        reduced: whether to compute in bfloat16.
    """

    network: Callable[[], Network]
    recipe: dict[str, Any]
    reader: ImageReader
    context: RunContext
    reduced: bool

    def plain(self, images: StoredImages) -> FeatureRows:
        """Features of the images as they are."""
        return self._rows(images, 0)

    def bank(self, images: StoredImages, views: int) -> FeatureRows:
        """Features of augmented views of each image, shape (views, ...) a row."""
        return self._rows(images, views)

    def _rows(self, images: StoredImages, views: int) -> FeatureRows:
        recipe = {
            **self.recipe,
            "size": list(self.reader.size),
            "normalisation": str(self.reader.normalise),
            "views": views,
            "precision": "bfloat16" if self.reduced else "float32",
        }
        if views:
            recipe["augmentation"] = pictures.AUGMENTATION
        keys = images.keys
        return self.context.features.rows(recipe, keys, lambda missing: self._blocks(images, keys, missing, views))

    def _blocks(
        self, images: StoredImages, keys: Sequence[bytes], missing: Sequence[int], views: int
    ) -> Iterator[np.ndarray]:
        import torch

        network, halving = self.network(), Halving(self.context.notes)

        def forward(rows: np.ndarray) -> torch.Tensor:
            batch = self.reader.batch(images, rows)
            if views:
                batch = pictures.bank_of_views(batch, [keys[row] for row in rows], views)
            batch = self.reader.normalise(batch).contiguous(memory_format=torch.channels_last)
            with torch.inference_mode(), torch.autocast(batch.device.type, torch.bfloat16, enabled=self.reduced):
                features = network(batch).float().cpu()
            return features.unflatten(0, (-1, views)) if views else features

        step = max(1, _BATCH // max(views, 1))
        for start in range(0, len(missing), step):
            for features in halving.run(np.array(missing[start : start + step]), forward):
                yield features.numpy()
            self.context.progress(min(start + step, len(missing)), len(missing), "features of images")


@dataclass(frozen=True)
class ImageSource:
    """Images themselves, for a network that is trained down to its first layer; augmented as they come."""

    images: StoredImages
    reader: ImageReader

    def __len__(self) -> int:
        return len(self.images)

    def batch(self, rows: np.ndarray, training: bool) -> tuple[torch.Tensor, ...]:
        """Normalised images of some rows."""
        import torch

        batch = self.reader.batch(self.images, rows)
        if training:
            batch = pictures.random_views(batch)
        return (self.reader.normalise(batch).contiguous(memory_format=torch.channels_last),)
