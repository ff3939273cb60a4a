"""A frozen joint encoder of images and texts, and a linear head."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from .training import loop
from .training.checks import require_dropout, require_whole
from .training.loop import LoopSettings
from .transfer.joint import ClipBranch, load_clip
from .transfer.stages import StagedPredictor

if TYPE_CHECKING:
    from datasets import Dataset

    from ..benchmark.predictor import RunContext
    from .transfer.stages import StagedTraining


class Clip(StagedPredictor):
    """A linear head on CLIP's frozen embeddings of image and text.

    The two side by side (the image alone with `--text none`), dropout, one linear neuron; trained as `frozen` is. CLIP
    reads 77 tokens; longer texts are cut.

    Args:
        model: a CLIP model on the hub, or a folder.
        batch_size: samples per step.
        learning_rate: of Adam, on the scale of `sfe`.
        patience: epochs without a better validation loss before stopping.
        max_epochs: epochs at most.
        dropout: dropout rate of the head.
        views: augmented views of each training image; 0 for no augmentation.
        precision: `float32`, `bfloat16`, or `auto`: bfloat16 on a GPU.
    """

    inputs = ("image", "text")
    search: ClassVar = {"learning_rate": "1e-4:0.5:log", "batch_size": "4:12:2"}

    def __init__(
        self,
        model: str = "openai/clip-vit-base-patch32",
        batch_size: int = 8,
        learning_rate: float = 0.01,
        patience: int = 10,
        max_epochs: int = 500,
        dropout: float = 0.2,
        views: int = 16,
        precision: str = "auto",
    ) -> None:
        require_whole("views", views, least=0)
        require_dropout(dropout)
        self.model, self.dropout, self.views = model, dropout, views
        self.settings = LoopSettings(batch_size, learning_rate, patience, max_epochs, precision)

    def fingerprint(self) -> dict[str, Any]:
        """The model's files."""
        loop.require_torch()
        return {"model_sha256": load_clip(self.model).sha256}

    def train_stages(self, training: StagedTraining, train: Dataset, context: RunContext) -> None:
        """The head alone."""
        from .transfer.networks import Joined, regression_head

        self._encoder = load_clip(self.model)
        branch = ClipBranch(self._encoder, self.views, self.settings.precision, context)
        sides = 2 if "text" in train.column_names else 1
        head = lambda: Joined(regression_head(sides * self._encoder.width, self.dropout))  # noqa: E731
        training.run("head", head, branch.source, self.settings)

    def info(self) -> dict[str, Any]:
        """The model, the hash of its files, its parameters, epochs."""
        encoder = self._encoder
        found = {"encoder": encoder.folder.name, "model_sha256": encoder.sha256, "parameters": encoder.parameters}
        return {**found, **super().info()}
