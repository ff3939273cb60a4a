"""The image side of a transfer model: backbone, reader and features together."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ...benchmark.errors import DataError
from ..training import loop
from ..training.sources import FeatureSource
from . import images as pictures
from .backbone import load_backbone
from .extract import Extractor, ImageReader, ImageSource, StoredImages
from .presets import preset_of
from .weights import Weights, find_weights

if TYPE_CHECKING:
    from datasets import Dataset
    from torch import nn

    from ...benchmark.predictor import RunContext
    from ..training.sources import Source
    from .networks import Tail
    from .stages import SourceOf


@dataclass(frozen=True)
class ImageOptions:
    """What a user chooses about the image side: see `Frozen` for the words."""

    backbone: str
    weights: str
    size: Any
    views: int
    precision: str

    def found_weights(self) -> Weights:
        """The weights, downloaded where needed."""
        loop.require_torch()
        return find_weights(preset_of(self.backbone).network, self.weights)


class ImageBranch:
    """The image side during one fit.

    Args:
        options: what the user chose.
        train: training rows; the first image says how large images are.
        context: the run.
    """

    def __init__(self, options: ImageOptions, train: Dataset, context: RunContext) -> None:
        self._options, self._context = options, context
        self.backbone = load_backbone(preset_of(options.backbone).network, options.found_weights())
        self._first = StoredImages(train).decoded(0).size

    @cached_property
    def size(self) -> tuple[int, int]:
        """Height and width that the network sees."""
        asked = pictures.parse_size(self._options.size)
        width, height = self._first
        size = asked or pictures.fitting_size(height, width)
        if self.backbone.takes(*size):
            return size
        side = self.backbone.size_near(*size)
        raise DataError(
            f"{self.backbone.name} takes no images of {size[1]}x{size[0]}; --set size={side}x{side} is a size it takes."
        )

    @cached_property
    def reader(self) -> ImageReader:
        """How images are read."""
        return ImageReader(self.size, self.backbone.normalisation, self._context.device)

    def source_of(self, trained: int | str) -> SourceOf:
        """Inputs for the part of the network from its last `trained` layers on; 0 for the head alone."""

        def source(data: Dataset, training: bool) -> Source:
            images = StoredImages(data)
            if self._is_whole(trained):
                return ImageSource(images, self.reader)
            extractor = self._extractor(trained)
            bank = extractor.bank(images, self._options.views) if training and self._options.views else None
            return FeatureSource(extractor.plain(images), bank, self._context.device)

        return source

    def tail(self, trained: int | str, batch_statistics: bool) -> Tail:
        """A copy of the part that is trained, as it was pretrained."""
        return self.backbone.tail(trained, batch_statistics)

    def _is_whole(self, trained: int | str) -> bool:
        return trained != 0 and self.backbone.frozen_part(trained) is None

    def _extractor(self, trained: int | str) -> Extractor:
        def network() -> nn.Module:
            import torch

            frozen = self.backbone.frozen_part(trained) if trained else self.backbone.whole
            assert frozen is not None
            return frozen.to(device=self._context.device, memory_format=torch.channels_last)

        import timm

        recipe = {
            "version": 1,
            "backbone": self.backbone.name,
            "weights": self.backbone.weights.sha256,
            "trained": trained,
            "timm": timm.__version__,
        }
        reduced = loop.is_reduced(self._options.precision, self._context.device)
        return Extractor(network, recipe, self.reader, self._context, reduced)

    def info(self) -> dict[str, Any]:
        """Backbone, its weights, its number of parameters, and the size it sees."""
        height, width = self.size
        found = {"backbone": self.backbone.name, **self.backbone.weights.as_dict()}
        return {**found, "parameters": self.backbone.parameters, "size": f"{width}x{height}"}
