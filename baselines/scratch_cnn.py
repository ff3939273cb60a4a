"""The convolutional network trained from scratch: Table 1 of arXiv 2401.09301."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from ..benchmark.errors import ModelError, unknown_name
from .features import pixels
from .training import loop
from .training.table1 import table1_network

if TYPE_CHECKING:
    import torch
    from datasets import Dataset

    from ..benchmark.predictor import RunContext


class ScratchCNN:
    """Table 1's network on the image, trained as in the paper: batch 8, Adam 7e-4, patience 50, squared error on
    targets in their own unit, best validation weights restored.

    Args:
        batch_size: samples per step.
        learning_rate: of Adam.
        patience: epochs without a better validation loss before stopping.
        max_epochs: epochs at most.
        width: images are reduced to this width; `sfe` images become 196 x 73, as in the paper.
        dropout: dropout rate.
        precision: `float32`, or `bfloat16` where the processor has it (about twice as fast).
    """

    inputs = ("image",)
    extra = "torch"

    def __init__(
        self,
        batch_size: int = 8,
        learning_rate: float = 7e-4,
        patience: int = 50,
        max_epochs: int = 500,
        width: int = 196,
        dropout: float = 0.2,
        precision: str = "float32",
    ) -> None:
        if precision not in loop.PRECISIONS:
            raise ModelError(unknown_name("precision", precision, loop.PRECISIONS, "There are float32 and bfloat16."))
        self.settings = loop.LoopSettings(batch_size, learning_rate, patience, max_epochs, precision)
        self.width = width
        self.dropout = dropout

    def fit(self, train: Dataset, validation: Dataset, context: RunContext) -> None:
        """Train on `train`, stop by `validation`; losses by epoch go to `history.json` in the work folder."""
        loop.require_torch()
        loop.check_device(context.device)
        import torch

        torch.manual_seed(context.seed)
        self._device = context.device
        images, targets = self._tensors(train)
        watched_images, watched_targets = self._tensors(validation)
        self._network = loop.prepare(table1_network(images.shape[2], images.shape[3], self.dropout), self._device)
        self._history = loop.train(
            self._network, images, targets, watched_images, watched_targets, self.settings, context.progress
        )
        (context.work_dir / "history.json").write_text(json.dumps(self._history.as_dict()))

    def predict(self, data: Dataset) -> np.ndarray:
        """Predict, shape (n,)."""
        images = loop.to_tensor(pixels(data["image"], self.width), self._device)
        return loop.predict(self._network, images, self.settings).cpu().numpy()[:, 0]

    def info(self) -> dict[str, Any]:
        """Number of parameters, epochs run, and the epoch whose weights were kept."""
        return {
            "parameters": sum(parameter.numel() for parameter in self._network.parameters()),
            "epochs": len(self._history.train),
            "best_epoch": self._history.best_epoch,
        }

    def _tensors(self, data: Dataset) -> tuple[torch.Tensor, torch.Tensor]:
        import torch

        targets = torch.tensor(np.asarray(data["target"]), dtype=torch.float32, device=self._device)
        return loop.to_tensor(pixels(data["image"], self.width), self._device), targets[:, None]
