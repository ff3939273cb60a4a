"""A pretrained image network whose last layers are trained as well."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any, ClassVar

from ..benchmark.errors import ModelError
from .frozen import Frozen
from .hyperparameters import require_choice, require_positive
from .transfer.backbone import ALL

if TYPE_CHECKING:
    from datasets import Dataset
    from torch import nn

    from ..benchmark.predictor import RunContext
    from .transfer.staged_training import StagedTraining


@dataclass(kw_only=True, eq=False)
class Finetuned(Frozen):
    """A pretrained image network whose last layers are trained as well, stage by stage.

    As in Table 5 of arXiv 2401.09301: first the head of `frozen`, then the last 50 layers with it at a learning rate of
    1e-4; further stages unfreeze more layers. Each stage is scored.

    Layers are counted as in Keras: a convolution, a normalisation, an activation, a pooling and a concatenation are one
    each. Normalisations keep their pretrained averages even where their scale and shift are trained; with
    `batch_norm=batch`, those use the statistics of the batch. The output of the frozen part is computed once per
    augmented view and stored by content.

    Args:
        layers: the stages after the head, each as the number of last layers it trains: `50`, `[50,100,150,"all"]`.
        finetuning_rate: learning rate of those stages.
        batch_norm: `frozen` or `batch`.
        backbone: as in `frozen`.
        weights: as in `frozen`.
        batch_size: as in `frozen`.
        learning_rate: as in `frozen`, for the head.
        patience: as in `frozen`, in every stage.
        max_epochs: as in `frozen`, in every stage.
        dropout: as in `frozen`.
        views: as in `frozen`.
        size: as in `frozen`.
        precision: as in `frozen`.
    """

    layers: int | str | Sequence[int | str] = 50
    finetuning_rate: float = 1e-4
    batch_norm: str = "frozen"
    search: ClassVar = {"finetuning_rate": "1e-5:1e-2:log", "batch_size": "4:12:2"}

    def __post_init__(self) -> None:
        super().__post_init__()
        self._layer_stages = _parse_layers(self.layers)
        require_positive("finetuning_rate", self.finetuning_rate)
        require_choice("batch_norm", self.batch_norm, ("frozen", "batch"))

    def train_stages(self, training: StagedTraining, train: Dataset, context: RunContext) -> None:
        """Train the head, then more and more layers with it."""
        self.train_image_network(training, train, context)

    def train_image_network(self, training: StagedTraining, train: Dataset, context: RunContext) -> nn.Module:
        """Train the image network in all its stages; returns the trained layers and the head, in sequence."""
        from torch import nn

        network: nn.Module = nn.Sequential(nn.Identity(), self.train_head(training, train, context))
        for layers in self._layer_stages:
            before = network

            def make_network(layers: int | str = layers, before: nn.Module = before) -> nn.Module:
                tail = self._image.tail(layers, batch_statistics=self.batch_norm == "batch")
                tail.load_state_dict(before[0].state_dict(), strict=False)  # what earlier stages have learnt
                return nn.Sequential(tail, copy.deepcopy(before[1]))

            settings = replace(self.head_settings(), learning_rate=self.finetuning_rate)
            name = "all layers" if layers == ALL else f"last {layers} layers"
            network = training.run(name, make_network, self._image.inputs_of(layers), settings)
        return network


def _parse_layers(layers: Any) -> list[int | str]:
    """The stages as a list, each training more layers than the one before.

    Raises:
        ModelError: they are not increasing numbers of layers.
    """
    stages: list[Any] = list(layers) if isinstance(layers, list | tuple) else [layers]
    known = all(stage == ALL or (type(stage) is int and stage > 0) for stage in stages)
    sizes = [math.inf if stage == ALL else stage for stage in stages] if known else []
    if not sizes or any(after <= before for before, after in pairwise(sizes)):
        raise ModelError(
            f'layers must be a positive integer, "all", or an increasing list, as in [50,100,"all"] (got {layers!r}).'
        )
    return stages
