"""A pretrained network whose last layers are trained too."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any, ClassVar

from ..benchmark.errors import ModelError
from .frozen import Frozen
from .training.checks import require_choice, require_rate
from .transfer.backbone import ALL
from .transfer.branch import ImageBranch

if TYPE_CHECKING:
    from datasets import Dataset
    from torch import nn

    from ..benchmark.predictor import RunContext
    from .transfer.stages import StagedTraining


class Finetuned(Frozen):
    """A pretrained image network whose last layers are trained too, stage by stage.

    As in Table 5 of arXiv 2401.09301: the head of `frozen` first, then the last 50 layers with it at a learning rate of
    1e-4; further stages unfreeze more, and each stage is scored.

    Layers are counted as in Keras: a convolution, a normalisation, an activation, a pooling, a concatenation are one
    each. Normalisations keep the averages they were pretrained with, also where their scale and shift are trained;
    `batch_norm=batch` lets those use the statistics of the batch. What stays frozen is computed once per augmented
    view and kept by content.

    Args:
        layers: the stages after the head, each by how many last layers it trains: `50`, `[50,100,150,"all"]`.
        finetuning_rate: learning rate of those stages.
        batch_norm: `frozen` or `batch`.
        backbone: as in `frozen`.
        weights: as in `frozen`.
        batch_size: as in `frozen`.
        learning_rate: of the head's stage, as in `frozen`.
        patience: as in `frozen`, in every stage.
        max_epochs: epochs of a stage at most.
        dropout: as in `frozen`.
        views: as in `frozen`.
        size: as in `frozen`.
        precision: as in `frozen`.
    """

    search: ClassVar = {"finetuning_rate": "1e-5:1e-2:log", "batch_size": "4:12:2"}

    def __init__(
        self,
        layers: int | str | Sequence[int | str] = 50,
        finetuning_rate: float = 1e-4,
        batch_norm: str = "frozen",
        backbone: str = "inception-v3",
        weights: str = "pretrained",
        batch_size: int | None = None,
        learning_rate: float | None = None,
        patience: int = 10,
        max_epochs: int = 500,
        dropout: float = 0.2,
        views: int = 16,
        size: str | None = None,
        precision: str = "auto",
    ) -> None:
        super().__init__(
            backbone, weights, batch_size, learning_rate, patience, max_epochs, dropout, views, size, precision
        )
        self.layers = stage_layers(layers)
        require_rate("finetuning_rate", finetuning_rate)
        require_choice("batch_norm", batch_norm, ("frozen", "batch"))
        self.finetuning_rate = finetuning_rate
        self.batch_statistics = batch_norm == "batch"

    def train_stages(self, training: StagedTraining, train: Dataset, context: RunContext) -> None:
        """The head alone, then more and more layers with it."""
        self._branch = ImageBranch(self.options, train, context)
        self.train_layers(training, self.train_head(training))

    def train_layers(self, training: StagedTraining, head: nn.Module) -> nn.Module:
        """Train the last layers with the head, stage by stage; returns tail and head of the last stage."""
        from torch import nn

        network: nn.Module = nn.Sequential(nn.Identity(), head)
        for layers in self.layers:
            before = network

            def make(layers: int | str = layers, before: nn.Module = before) -> nn.Module:
                tail = self._branch.tail(layers, self.batch_statistics)
                tail.load_state_dict(before[0].state_dict(), strict=False)  # what earlier stages have trained
                return nn.Sequential(tail, copy.deepcopy(before[1]))

            settings = replace(self.head_settings(), learning_rate=self.finetuning_rate)
            name = "all layers" if layers == ALL else f"last {layers} layers"
            network = training.run(name, make, self._branch.source_of(layers), settings)
        return network


def stage_layers(layers: int | str | Sequence[int | str]) -> list[int | str]:
    """The stages as a list, each training more layers than the one before.

    Raises:
        ModelError: they are not numbers of layers, or do not grow.
    """
    stages: list[Any] = list(layers) if isinstance(layers, list | tuple) else [layers]
    known = all(stage == ALL or (type(stage) is int and stage > 0) for stage in stages)
    sizes = [math.inf if stage == ALL else stage for stage in stages] if known else []
    if not sizes or any(after <= before for before, after in pairwise(sizes)):
        raise ModelError(f'layers={layers!r} makes no sense; give numbers that grow, as in 50 or [50,100,150,"all"].')
    return stages
