"""A pretrained network that stays frozen, and a head of one neuron on its features."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from .training.checks import require_dropout, require_whole
from .training.loop import LoopSettings
from .transfer.branch import ImageBranch, ImageOptions
from .transfer.presets import preset_of
from .transfer.stages import StagedPredictor

if TYPE_CHECKING:
    from datasets import Dataset
    from torch import nn

    from ..benchmark.predictor import RunContext
    from .transfer.stages import StagedTraining


class Frozen(StagedPredictor):
    """A pretrained image network that stays frozen, with one neuron on its pooled features.

    As in Table 4 of arXiv 2401.09301: global average pooling, dropout, one linear neuron; Adam, squared error, early
    stopping; flips and rotations up to 0.2 of a turn. Each image passes through the network once per augmented view;
    features are kept by content and used again. Targets are learnt on the scale of `sfe`, where the paper's learning
    rates were found.

    Args:
        backbone: `inception-v3`, `xception`, `vgg16`, `vgg19`, `densenet121`, or any timm network.
        weights: `pretrained` (from the hub), the path of a safetensors file, or `random`.
        batch_size: samples per step; by default the backbone's best in the paper.
        learning_rate: of Adam; likewise.
        patience: epochs without a better validation loss before stopping.
        max_epochs: epochs at most.
        dropout: dropout rate of the head.
        views: augmented views of each training image; 0 for no augmentation.
        size: WIDTHxHEIGHT that the backbone sees; by default at most 196 wide (`sfe`: 196x75).
        precision: `float32`, `bfloat16`, or `auto`: bfloat16 on a GPU.
    """

    inputs: tuple[str, ...] = ("image",)
    search: ClassVar = {"learning_rate": "1e-4:0.5:log", "batch_size": "4:12:2"}

    def __init__(
        self,
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
        require_whole("views", views, least=0)
        require_dropout(dropout)
        LoopSettings(  # checks them; the preset's own are not known yet
            1 if batch_size is None else batch_size,
            1.0 if learning_rate is None else learning_rate,
            patience,
            max_epochs,
            precision,
        )
        self.options = ImageOptions(backbone, weights, size, views, precision)
        self.batch_size, self.learning_rate = batch_size, learning_rate
        self.patience, self.max_epochs = patience, max_epochs
        self.dropout = dropout

    def fingerprint(self) -> dict[str, Any]:
        """The weights."""
        return self.options.found_weights().as_dict()

    def train_stages(self, training: StagedTraining, train: Dataset, context: RunContext) -> None:
        """The head alone."""
        self._branch = ImageBranch(self.options, train, context)
        self.train_head(training)

    def train_head(self, training: StagedTraining) -> nn.Module:
        """Train the head on frozen features."""
        from .transfer.networks import regression_head

        width = self._branch.backbone.width
        return training.run(
            "head", lambda: regression_head(width, self.dropout), self._branch.source_of(0), self.head_settings()
        )

    def head_settings(self) -> LoopSettings:
        """How the head is trained."""
        preset = preset_of(self.options.backbone)
        return LoopSettings(
            batch_size=preset.batch_size if self.batch_size is None else self.batch_size,
            learning_rate=preset.learning_rate if self.learning_rate is None else self.learning_rate,
            patience=self.patience,
            max_epochs=self.max_epochs,
            precision=self.options.precision,
        )

    def info(self) -> dict[str, Any]:
        """Backbone, weights and their hash, parameters, epochs."""
        return {**self._branch.info(), **super().info()}
