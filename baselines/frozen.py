"""A frozen pretrained image network and a linear head on its features."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from .training.loop import LoopSettings
from .transfer.backbone import find_preset
from .transfer.image_encoder import ImageEncoder, ImageOptions
from .transfer.staged_training import StagedPredictor

if TYPE_CHECKING:
    from datasets import Dataset
    from torch import nn

    from ..benchmark.predictor import RunContext
    from .transfer.staged_training import StagedTraining


@dataclass(kw_only=True, eq=False)
class Frozen(StagedPredictor):
    """A frozen pretrained image network with one linear neuron on its pooled features.

    As in Table 4 of arXiv 2401.09301: global average pooling, dropout, one linear neuron; Adam, squared error, early
    stopping; flips and rotations up to 0.2 turns. Each image passes through the network once per augmented view;
    features are stored by content and reused. Targets are learnt on the scale of `sfe`, where the paper's learning
    rates were found.

    Args:
        backbone: `inception-v3`, `xception`, `vgg16`, `vgg19`, `densenet121`, or any timm network.
        weights: `pretrained` (from the hub), the path of a safetensors file, or `random`.
        batch_size: samples per step; by default the paper's best for the backbone.
        learning_rate: learning rate of Adam; by default the paper's best for the backbone.
        patience: stop after this many epochs without a lower validation loss.
        max_epochs: maximum number of epochs.
        dropout: dropout rate of the head.
        views: augmented views of each training image; 0 for no augmentation.
        size: WIDTHxHEIGHT that the backbone sees; by default at most 196 wide (`sfe`: 196x75).
        precision: `float32`, `bfloat16`, or `auto`: bfloat16 on a GPU.
    """

    backbone: str = "inception-v3"
    weights: str = "pretrained"
    batch_size: int | None = None
    learning_rate: float | None = None
    size: str | None = None
    inputs: tuple[str, ...] = field(default=("image",), init=False, repr=False)
    search: ClassVar = {"learning_rate": "1e-4:0.5:log", "batch_size": "4:12:2"}

    def __post_init__(self) -> None:
        super().__post_init__()
        self._settings(default_batch_size=1, default_learning_rate=1.0)  # checks what was given

    def fingerprint(self) -> dict[str, Any]:
        """The weights."""
        return self._options.find_weights().as_dict()

    def train_stages(self, training: StagedTraining, train: Dataset, context: RunContext) -> None:
        """Train the head."""
        self.train_head(training, train, context)

    def train_head(self, training: StagedTraining, train: Dataset, context: RunContext) -> nn.Module:
        """Train the head on frozen features."""
        from .transfer.networks import linear_head

        self._image = ImageEncoder(self._options, train, context)
        width = self._image.backbone.width
        return training.run(
            "head", lambda: linear_head(width, self.dropout), self._image.inputs_of(0), self.head_settings()
        )

    def head_settings(self) -> LoopSettings:
        """How the head is trained."""
        preset = find_preset(self.backbone)
        return self._settings(preset.batch_size, preset.learning_rate)

    @property
    def _options(self) -> ImageOptions:
        return ImageOptions(self.backbone, self.weights, self.size, self.views, self.precision)

    def _settings(self, default_batch_size: int, default_learning_rate: float) -> LoopSettings:
        return self.loop_settings(
            default_batch_size if self.batch_size is None else self.batch_size,
            default_learning_rate if self.learning_rate is None else self.learning_rate,
        )

    def describe(self) -> dict[str, Any]:
        """Backbone, weights and their hash, number of parameters, image size."""
        return self._image.info()
