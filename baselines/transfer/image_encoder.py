"""The image side of a transfer model: a backbone, how it sees images, and its features."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ...benchmark.errors import DataError
from ..training.device import require_torch
from .backbone import find_preset, load_backbone
from .feature_extraction import ImageFeatures
from .image_batches import ImageReader, ImageSource, StoredImages, default_size, parse_size
from .weights import Weights, find_weights

if TYPE_CHECKING:
    from datasets import Dataset
    from torch import nn

    from ...benchmark.predictor import RunContext
    from ..training.sources import Source
    from .networks import Tail
    from .staged_training import MakeSource


@dataclass(frozen=True)
class ImageOptions:
    """What a user chooses about the image side, as documented in `Frozen`."""

    backbone: str
    weights: str
    size: Any
    views: int
    precision: str

    def find_weights(self) -> Weights:
        """The weights, downloaded if needed."""
        require_torch()
        return find_weights(find_preset(self.backbone).network, self.weights)


class ImageEncoder:
    """The image side during one fit.

    Args:
        options: what the user chose.
        train: training rows; the size of the first image sets the size that the network sees.
        context: the run.
    """

    def __init__(self, options: ImageOptions, train: Dataset, context: RunContext) -> None:
        self._options, self._context = options, context
        self.backbone = load_backbone(find_preset(options.backbone).network, options.find_weights())
        self._image_size = StoredImages(train).decode(0).size

    @cached_property
    def size(self) -> tuple[int, int]:
        """Height and width that the network sees.

        Raises:
            DataError: the network does not accept that size.
        """
        width, height = self._image_size
        size = parse_size(self._options.size) or default_size(height, width)
        if self.backbone.accepts(*size):
            return size
        side = self.backbone.suggest_side(*size)
        raise DataError(
            f"{self.backbone.name} does not accept images of {size[1]}x{size[0]}; --set size={side}x{side} works."
        )

    def inputs_of(self, layers: int | str) -> MakeSource:
        """Inputs of the trained part: `layers` last layers, `all`, or 0 for a head on pooled features."""

        def source(data: Dataset, training: bool) -> Source:
            if layers != 0 and self.backbone.frozen_part(layers) is None:
                return ImageSource(StoredImages(data), self._reader)
            return self._features(layers).source(data, self._options.views if training else 0)

        return source

    def tail(self, layers: int | str, batch_statistics: bool) -> Tail:
        """A copy of the part that is trained, with its pretrained weights."""
        return self.backbone.tail(layers, batch_statistics)

    def info(self) -> dict[str, Any]:
        """Backbone, weights, number of parameters, and the image size it sees."""
        height, width = self.size
        found = {"backbone": self.backbone.name, **self.backbone.weights.as_dict()}
        return {**found, "parameters": self.backbone.parameters, "size": f"{width}x{height}"}

    @cached_property
    def _reader(self) -> ImageReader:
        return ImageReader(self.size, self.backbone.normalisation, self._context.device)

    def _features(self, layers: int | str) -> ImageFeatures:
        import timm

        def network() -> nn.Module:
            import torch

            frozen = self.backbone.frozen_part(layers) if layers else self.backbone.pooled
            assert frozen is not None
            return frozen.to(device=self._context.device, memory_format=torch.channels_last)

        recipe = {
            "version": 1,
            "backbone": self.backbone.name,
            "weights": self.backbone.weights.sha256,
            "trained": layers,
            "timm": timm.__version__,
        }
        return ImageFeatures(network, recipe, self._reader, self._options.precision, self._context)
