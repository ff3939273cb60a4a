"""Pretrained image networks without their top, and where to split them into a frozen and a trained part."""

from __future__ import annotations

import copy
from bisect import bisect_left
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from typing import TYPE_CHECKING

from ...benchmark.errors import ModelError, unknown_name
from .layers import LayerOrder, trace_layers
from .weights import Weights, load_weights

if TYPE_CHECKING:
    import torch
    from torch import nn

    from .networks import Tail

ALL = "all"  # in place of a number of layers
_LARGEST_SIDE, _SIDES_TRIED = 512, 64
_COMMON_SIDES = (224, 240, 256, 299, 336, 384, 448)


@dataclass(frozen=True)
class Preset:
    """A backbone and how to train a head on it.

    Attributes:
        network: timm name, with the tag of its ImageNet weights.
        batch_size: the best batch size in Table 4 of arXiv 2401.09301.
        learning_rate: the best learning rate there.
    """

    network: str
    batch_size: int
    learning_rate: float


# The paper used Keras' weights. The nearest in timm: InceptionV3 from TF-slim, Xception converted from Keras, VGG and
# DenseNet from torchvision.
PRESETS = {
    "inception-v3": Preset("inception_v3.tf_in1k", 6, 0.007),
    "xception": Preset("legacy_xception.tf_in1k", 4, 0.05),
    "vgg16": Preset("vgg16.tv_in1k", 8, 0.12),
    "vgg19": Preset("vgg19.tv_in1k", 8, 0.34),
    "densenet121": Preset("densenet121.tv_in1k", 4, 0.05),
}


def find_preset(backbone: str) -> Preset:
    """The preset of this name, or default settings for any other timm network.

    Raises:
        ModelError: there is no such network; the message suggests similar names.
    """
    backbone = str(backbone)
    if backbone in PRESETS:
        return PRESETS[backbone]
    import timm

    name, _, tag = backbone.partition(".")
    known = [*PRESETS, *timm.list_models()] if not timm.is_model(name) else timm.list_pretrained(f"{name}.*")
    if not timm.is_model(name) or (tag and backbone not in known):
        remedy = f"Presets are {', '.join(PRESETS)}; timm.list_models() lists the other networks."
        raise ModelError(unknown_name("backbone", backbone, known, remedy))
    return Preset(backbone, batch_size=8, learning_rate=0.01)


@dataclass(frozen=True)
class Normalisation:
    """Mean and standard deviation per colour of the pretraining images, for values from 0 to 1."""

    mean: tuple[float, ...]
    std: tuple[float, ...]

    def __call__(self, images: torch.Tensor) -> torch.Tensor:
        """Normalise a batch, shape (n, 3, height, width)."""
        mean, std = (images.new_tensor(values)[:, None, None] for values in (self.mean, self.std))
        return (images - mean) / std


@lru_cache(maxsize=2)
def load_backbone(name: str, weights: Weights) -> Backbone:
    """A backbone. Folds and seeds share it, since it is never modified.

    Args:
        name: timm name.
        weights: its weights.
    """
    return Backbone(name, weights)


class Backbone:
    """A timm network without its top, in inference mode, with frozen weights.

    Args:
        name: timm name.
        weights: its weights.
    """

    def __init__(self, name: str, weights: Weights) -> None:
        self.name = name
        self.weights = weights
        self._splits: dict[int | str, tuple[nn.Module | None, nn.Module]] = {}

    @cached_property
    def network(self) -> nn.Module:
        """The network, created on first use."""
        import timm
        import torch
        from torch import nn

        with torch.random.fork_rng():
            torch.manual_seed(0)
            network = timm.create_model(self.name, pretrained=False, num_classes=0)
        if hasattr(network, "pre_logits"):  # VGG's dense layers belong to its top
            network.pre_logits = nn.Identity()
        load_weights(network, self.weights)
        return network.requires_grad_(False).eval()

    @cached_property
    def normalisation(self) -> Normalisation:
        """How colours were scaled in pretraining."""
        import timm
        from timm.data import resolve_data_config

        config = timm.get_pretrained_cfg(self.name)
        found = resolve_data_config({}, pretrained_cfg=config.to_dict() if config else {})
        return Normalisation(tuple(found["mean"]), tuple(found["std"]))

    @property
    def parameters(self) -> int:
        """Number of trainable weights without the top. Keras counts the moving averages of normalisations as well."""
        return sum(parameter.numel() for parameter in self.network.parameters())

    @cached_property
    def width(self) -> int:
        """Number of pooled features."""
        import torch

        from .networks import PooledBackbone

        side = next((side for side in _COMMON_SIDES if self.accepts(side, side)), None) or self.smallest_side
        network = PooledBackbone(self._meta_network)
        with torch.inference_mode():
            return int(network(torch.zeros(1, 3, side, side, device="meta")).shape[1])

    @cache  # noqa: B019 - there are few backbones, and they are kept anyway
    def accepts(self, height: int, width: int) -> bool:
        """Whether the network accepts images of this size; found out without computing anything."""
        import torch

        network = self._meta_network  # created outside inference mode: its source is trained later
        try:
            with torch.inference_mode():
                output = network.forward_features(torch.zeros(1, 3, height, width, device="meta"))
        except (RuntimeError, AssertionError, ValueError):
            return False
        return bool(output.numel())

    def suggest_side(self, height: int, width: int) -> int:
        """Side, in pixels, of a square that holds an image of this size and that the network accepts."""
        start = max(height, width, 1)
        sides = (side for side in range(start, start + _SIDES_TRIED) if self.accepts(side, side))
        return next(sides, None) or self.smallest_side

    @cached_property
    def smallest_side(self) -> int:
        """Side, in pixels, of the smallest square image that the network accepts.

        Raises:
            ModelError: it accepts none of the sizes tried.
        """
        if not self.accepts(_LARGEST_SIDE, _LARGEST_SIDE):  # it accepts one size only
            fixed = next((side for side in _COMMON_SIDES if self.accepts(side, side)), None)
            if fixed is None:
                raise ModelError(f"{self.name} accepts no image size that was tried; choose another backbone.")
            return fixed
        return bisect_left(range(_LARGEST_SIDE), True, key=lambda side: side > 0 and self.accepts(side, side))

    @cached_property
    def _meta_network(self) -> nn.Module:
        return copy.deepcopy(self.network).to("meta")

    @cached_property
    def pooled(self) -> nn.Module:
        """From normalised images, shape (n, 3, height, width), to pooled features, shape (n, width)."""
        from .networks import PooledBackbone

        return PooledBackbone(self.network)

    @cached_property
    def order(self) -> LayerOrder:
        """Its layers, counted as in Keras."""
        return trace_layers(self.pooled)

    def frozen_part(self, layers: int | str) -> nn.Module | None:
        """The part in front of the last layers.

        Args:
            layers: number of last layers that are trained, or `all`.

        Returns:
            A module from normalised images to one tensor; None if everything is trained.

        Raises:
            ModelError: the network cannot be traced, or its last layers have no weights.
        """
        return self._split(layers)[0]

    def tail(self, layers: int | str, batch_statistics: bool) -> Tail:
        """A copy of the part behind `frozen_part`, down to pooled features, to be trained.

        Args:
            layers: number of last layers that are trained, or `all`.
            batch_statistics: see `Tail`.
        """
        from .networks import Tail

        frozen, rest = self._split(layers)
        names = None if frozen is None else self.order.trained_modules(int(layers))
        return Tail(copy.deepcopy(rest), names, batch_statistics)

    def _split(self, layers: int | str) -> tuple[nn.Module | None, nn.Module]:
        if layers == ALL or int(layers) >= self.order.count:
            return None, self.pooled
        if layers not in self._splits:
            self._splits[layers] = self.order.split(int(layers))
        return self._splits[layers]
