"""A pretrained image network without its top, and where it can be divided into a frozen and a trained part."""

from __future__ import annotations

import copy
from bisect import bisect_left
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from typing import TYPE_CHECKING

from ...benchmark.errors import ModelError
from . import layers
from .weights import Weights, load_weights

if TYPE_CHECKING:
    import torch
    from torch import nn

    from .networks import Tail

ALL = "all"
_LARGEST, _SEARCHED = 512, 64
_COMMON = (224, 240, 256, 299, 336, 384, 448)


@dataclass(frozen=True)
class Normalisation:
    """Mean and standard deviation per colour of what the network was trained on, for values in 0 to 1."""

    mean: tuple[float, ...]
    std: tuple[float, ...]

    def __call__(self, images: torch.Tensor) -> torch.Tensor:
        """Normalise a batch, shape (n, 3, height, width)."""
        mean, std = (images.new_tensor(values)[:, None, None] for values in (self.mean, self.std))
        return (images - mean) / std


@lru_cache(maxsize=2)
def load_backbone(name: str, weights: Weights) -> Backbone:
    """A backbone; folds and seeds share it, since nothing changes it.

    Args:
        name: timm name.
        weights: where its weights come from.
    """
    return Backbone(name, weights)


class Backbone:
    """A timm network without its top, in inference mode, its weights frozen.

    Args:
        name: timm name.
        weights: where its weights come from.
    """

    def __init__(self, name: str, weights: Weights) -> None:
        self.name = name
        self.weights = weights
        self._parts: dict[int | str, tuple[nn.Module | None, nn.Module]] = {}

    @cached_property
    def network(self) -> nn.Module:
        """The network; made when it is first needed."""
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
        """How colours are scaled."""
        import timm
        from timm.data import resolve_data_config

        config = timm.get_pretrained_cfg(self.name)
        found = resolve_data_config({}, pretrained_cfg=config.to_dict() if config else {})
        return Normalisation(tuple(found["mean"]), tuple(found["std"]))

    @property
    def parameters(self) -> int:
        """Number of weights that gradients could change, the top left out; Keras counts moving averages too."""
        return sum(parameter.numel() for parameter in self.network.parameters())

    @cached_property
    def width(self) -> int:
        """Number of pooled features."""
        import torch

        from .networks import Whole

        side = next((side for side in _COMMON if self.takes(side, side)), None) or self.least_side
        network = Whole(self._hollow)
        with torch.inference_mode():
            return int(network(torch.zeros(1, 3, side, side, device="meta")).shape[1])

    def size_near(self, height: int, width: int) -> int:
        """A square that holds an image of this size and that the network takes, in pixels a side."""
        start = max(height, width, 1)
        near = (side for side in range(start, start + _SEARCHED) if self.takes(side, side))
        return next(near, None) or self.least_side

    @cache  # noqa: B019 - backbones are few and kept anyway
    def takes(self, height: int, width: int) -> bool:
        """Whether an image of this size goes through; nothing is computed to find out."""
        import torch

        network = self._hollow  # made outside inference mode: its tensors are trained later
        try:
            with torch.inference_mode():
                output = network.forward_features(torch.zeros(1, 3, height, width, device="meta"))
        except (RuntimeError, AssertionError, ValueError):
            return False
        return bool(output.numel())

    @cached_property
    def least_side(self) -> int:
        """The shortest square image that the network takes, in pixels.

        Raises:
            ModelError: none of those tried.
        """
        if not self.takes(_LARGEST, _LARGEST):  # it takes one size only
            fixed = next((side for side in _COMMON if self.takes(side, side)), None)
            if fixed is None:
                raise ModelError(f"{self.name} takes no image that was tried; choose another backbone.")
            return fixed
        return bisect_left(range(_LARGEST), True, key=lambda side: side > 0 and self.takes(side, side))

    @cached_property
    def _hollow(self) -> nn.Module:
        return copy.deepcopy(self.network).to("meta")

    @cached_property
    def whole(self) -> nn.Module:
        """From normalised images, shape (n, 3, height, width), to pooled features, shape (n, width)."""
        from .networks import Whole

        return Whole(self.network)

    @cached_property
    def order(self) -> layers.Order:
        """Its layers, as Keras counts them."""
        return layers.order_of(self.whole)

    def frozen_part(self, trained: int | str) -> nn.Module | None:
        """What comes before the part whose last layers are trained.

        Args:
            trained: how many layers count as the last ones, or `all`.

        Returns:
            From normalised images to one tensor; None where everything is trained.

        Raises:
            ModelError: the network's structure cannot be followed.
        """
        return self._divided(trained)[0]

    def tail(self, trained: int | str, batch_statistics: bool) -> Tail:
        """A copy of what comes after `frozen_part`, down to pooled features.

        Args:
            trained: how many layers count as the last ones, or `all`.
            batch_statistics: see `Tail`.
        """
        from .networks import Tail

        frozen, rest = self._divided(trained)
        names = None if frozen is None else self.order.last(int(trained))
        return Tail(copy.deepcopy(rest), names, batch_statistics)

    def _divided(self, trained: int | str) -> tuple[nn.Module | None, nn.Module]:
        if trained == ALL or int(trained) >= self.order.count:
            return None, self.whole
        if trained not in self._parts:
            self._parts[trained] = self.order.divided(int(trained))
        return self._parts[trained]
