"""The convolutional network trained from scratch: Table 1 of arXiv 2401.09301."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from .features import pixels
from .training import loop
from .training.memory import Halving
from .training.sources import TensorSource
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
        source, watched = self._source(train), self._source(validation)
        height, width = source.tensors[0].shape[2:]
        self._network = loop.prepare(table1_network(height, width, self.dropout), self._device)
        self._history = loop.train(
            self._network,
            source,
            self._targets(train),
            watched,
            self._targets(validation),
            self.settings,
            loop.Report(context.progress, context.notes),
        )
        (context.work_dir / "history.json").write_text(json.dumps(self._history.as_dict()))

    def predict(self, data: Dataset) -> np.ndarray:
        """Predict, shape (n,)."""
        output = loop.predict(self._network, self._source(data), self.settings, Halving([]))
        return output.cpu().numpy()[:, 0]

    def info(self) -> dict[str, Any]:
        """Number of parameters, epochs run, and the epoch whose weights were kept."""
        return {
            "parameters": sum(parameter.numel() for parameter in self._network.parameters()),
            "epochs": len(self._history.train),
            "best_epoch": self._history.best_epoch,
        }

    def _source(self, data: Dataset) -> TensorSource:
        return TensorSource((loop.to_tensor(pixels(data["image"], self.width), self._device),))

    def _targets(self, data: Dataset) -> torch.Tensor:
        import torch

        return torch.tensor(np.asarray(data["target"]), dtype=torch.float32, device=self._device)[:, None]
