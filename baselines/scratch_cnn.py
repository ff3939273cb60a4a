"""The convolutional network of Table 1 of arXiv 2401.09301, trained from scratch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .image_features import pixels
from .training import loop
from .training.device import BatchSplitter, set_up_device
from .training.objective import choose_objective
from .training.sources import LabelledSource, TensorSource, image_tensor

if TYPE_CHECKING:
    from datasets import Dataset
    from torch import nn

    from ..benchmark.predictor import LearningCurve, RunContext

# 2 x 2 kernels, no padding, ReLU; "pool" halves by averaging, as in the network that Arora et al. published
# (Materialia 26, 101620 (2022)).
_LAYERS: tuple[int | str, ...] = (32, 64, "pool", 96, 192, "pool", 192, "dropout", 256, "pool", 256)


class ScratchCNN:
    """The paper's CNN on the image, trained from scratch: batch size 8, Adam at 7e-4, patience 50, targets in their own
    unit, best validation weights restored.

    Args:
        batch_size: samples per step.
        learning_rate: learning rate of Adam.
        patience: stop after this many epochs without a lower validation loss.
        max_epochs: maximum number of epochs.
        width: images are reduced to this width; `sfe` images become 196 x 73, as in the paper.
        dropout: dropout rate.
        precision: `float32`, or `bfloat16` on hardware that supports it (about twice as fast).
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
        """Train on `train`; `validation` is for early stopping."""
        set_up_device(context.device)
        import torch

        torch.manual_seed(context.seed)
        self._device = context.device
        self._objective = choose_objective(context, np.asarray(train["target"]), rescale=False)
        training, watched = self._labelled(train), self._labelled(validation)
        height, width = training.inputs.batch(np.arange(1), training=False)[0].shape[2:]
        network = table1_network(height, width, self.dropout)
        self._network = network.to(device=torch.device(self._device), memory_format=torch.channels_last)
        report = loop.Report(context.progress, context.notes)
        self._history = loop.train(self._network, training, watched, self._objective, self.settings, report)

    def predict(self, data: Dataset) -> np.ndarray:
        """Predictions, shape (n,): in the task's unit, or probabilities."""
        outputs = loop.predict(self._network, self._source(data), self.settings, BatchSplitter([]))
        return self._objective.decode(outputs)

    def curves(self) -> list[LearningCurve]:
        """The learning curve of the training."""
        return [self._history.curve("training", self._objective)]

    def info(self) -> dict[str, Any]:
        """Number of parameters, epochs run, and the epoch whose weights were kept."""
        return {
            "parameters": sum(parameter.numel() for parameter in self._network.parameters()),
            "epochs": len(self._history.train),
            "best_epoch": self._history.best_epoch,
        }

    def _source(self, data: Dataset) -> TensorSource:
        return TensorSource((image_tensor(pixels(data["image"], self.width), self._device),))

    def _labelled(self, data: Dataset) -> LabelledSource:
        targets = self._objective.encode(np.asarray(data["target"]), self._device)
        return LabelledSource(self._source(data), targets)


def table1_network(height: int, width: int, dropout: float = 0.2) -> nn.Sequential:
    """Build the network of Table 1 for RGB images; 1,746,433 parameters at 73 x 196.

    Weights are initialised as in Keras: Glorot uniform, biases zero. The table does not state the dropout rate; 0.2 is
    the rate of the paper's other heads.

    Args:
        height: image height in pixels, at least 32.
        width: image width in pixels, at least 32.
        dropout: dropout rate.

    Returns:
        A network from images, shape (n, 3, height, width), values 0 to 1, to outputs of shape (n, 1).
    """
    from torch import nn

    layers: list[nn.Module] = []
    channels = 3
    for layer in _LAYERS:
        if layer == "pool":
            layers.append(nn.AvgPool2d(2))
            height, width = height // 2, width // 2
        elif layer == "dropout":
            layers.append(nn.Dropout(dropout))
        else:
            layers += [nn.Conv2d(channels, int(layer), 2), nn.ReLU(inplace=True)]
            channels, height, width = int(layer), height - 1, width - 1
    layers += [
        nn.Flatten(),
        nn.Linear(channels * height * width, 32),
        nn.ReLU(inplace=True),
        nn.Linear(32, 1),
    ]
    for module in layers:
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.xavier_uniform_(module.weight)
            nn.init.zeros_(module.bias)
    return nn.Sequential(*layers)
