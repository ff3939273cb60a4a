"""Features of images and texts from frozen networks, computed once and stored by content."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np

from ...benchmark.feature_store import FeatureRows, content_key
from ..training.device import BatchSplitter, uses_bfloat16
from ..training.sources import FeatureSource
from .image_batches import AUGMENTATION, ImageReader, StoredImages, bank_of_views

if TYPE_CHECKING:
    import torch
    from datasets import Dataset

    from ...benchmark.predictor import RunContext

# From the tensors of a batch to features, shape (n, ...).
FrozenForward = Callable[..., "torch.Tensor"]
_BATCH = 64


@dataclass(frozen=True)
class ImageFeatures:
    """Features of images from a frozen network.

    Attributes:
        network: makes the network, on its device; called only if there is something to compute.
        recipe: everything but the image and its preprocessing that features depend on.
        reader: how images are read.
        precision: as in `LoopSettings`.
        context: the run, whose feature store is used.
    """

    network: Callable[[], FrozenForward]
    recipe: dict[str, Any]
    reader: ImageReader
    precision: str
    context: RunContext

    def source(self, data: Dataset, views: int) -> FeatureSource:
        """Features of the images of a table, and of augmented views of each unless `views` is 0."""
        images = StoredImages(data)
        bank = self._rows(images, views) if views else None
        return FeatureSource(self._rows(images, 0), bank, self.context.device)

    @property
    def _is_reduced(self) -> bool:
        return uses_bfloat16(self.precision, self.context.device)

    def _rows(self, images: StoredImages, views: int) -> FeatureRows:
        recipe = {
            **self.recipe,
            "size": list(self.reader.size),
            "normalisation": str(self.reader.normalise),
            "views": views,
            "precision": "bfloat16" if self._is_reduced else "float32",
        }
        if views:
            recipe["augmentation"] = AUGMENTATION
        return self.context.features.rows(
            recipe, images.keys, lambda missing: self._compute(images, missing, views), free_of_targets=True
        )

    def _compute(self, images: StoredImages, missing: Sequence[int], views: int) -> Iterator[np.ndarray]:
        import torch

        network = self.network()

        def forward(rows: np.ndarray) -> torch.Tensor:
            batch = self.reader.batch(images, rows)
            if views:
                batch = bank_of_views(batch, [images.keys[row] for row in rows], views)
            batch = self.reader.normalise(batch).contiguous(memory_format=torch.channels_last)
            with torch.inference_mode(), torch.autocast(batch.device.type, torch.bfloat16, enabled=self._is_reduced):
                features = network(batch).float().cpu()
            return features.unflatten(0, (-1, views)) if views else features

        yield from _in_batches(forward, missing, max(1, _BATCH // max(views, 1)), self.context, "features of images")


@dataclass(frozen=True)
class TextFeatures:
    """Features of texts from a frozen network.

    Attributes:
        network: makes the network, which takes tokens and mask, on its device; called only if there is something to
            compute.
        recipe: everything but the text and its tokens that features depend on.
        tokenizer: the network's tokenizer.
        max_tokens: texts are truncated to this many tokens.
        context: the run, whose feature store is used.
    """

    network: Callable[[], FrozenForward]
    recipe: dict[str, Any]
    tokenizer: Any
    max_tokens: int
    context: RunContext

    def source(self, data: Dataset) -> FeatureSource:
        """Features of the texts of a table."""
        texts = list(data["text"])
        recipe = {**self.recipe, "tokens": self.max_tokens, "transformers": version("transformers")}
        keys = [content_key(text.encode()) for text in texts]
        rows = self.context.features.rows(
            recipe, keys, lambda missing: self._compute(texts, missing), free_of_targets=True
        )
        return FeatureSource(rows, None, self.context.device)

    def tokenize(self, texts: Sequence[str]) -> tuple[torch.Tensor, torch.Tensor]:
        """Tokens and their mask, each of shape (n, longest), on the device."""
        found = self.tokenizer(
            list(texts), padding=True, truncation=True, max_length=self.max_tokens, return_tensors="pt"
        ).to(self.context.device)
        return found["input_ids"], found["attention_mask"]

    def _compute(self, texts: Sequence[str], missing: Sequence[int]) -> Iterator[np.ndarray]:
        import torch

        network = self.network()

        def forward(rows: np.ndarray) -> torch.Tensor:
            with torch.inference_mode():
                return network(*self.tokenize([texts[row] for row in rows])).float().cpu()

        yield from _in_batches(forward, missing, _BATCH, self.context, "features of texts")


def _in_batches(
    forward: Callable[[np.ndarray], torch.Tensor], rows: Sequence[int], size: int, context: RunContext, message: str
) -> Iterator[np.ndarray]:
    """Compute features of rows batch by batch, and report progress."""
    splitter = BatchSplitter(context.notes)
    for start in range(0, len(rows), size):
        for features in splitter.run(np.array(rows[start : start + size]), forward):
            yield features.numpy()
        context.progress(min(start + size, len(rows)), len(rows), message)
