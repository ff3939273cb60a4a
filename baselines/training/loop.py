"""The training loop: Adam, early stopping on the validation loss, best weights restored."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from ...benchmark.errors import ModelError
from ...benchmark.predictor import LearningCurve
from ..hyperparameters import require_choice, require_integer, require_positive
from .device import BatchSplitter, uses_bfloat16

if TYPE_CHECKING:
    import torch
    from torch import nn

    from .objective import Objective
    from .sources import LabelledSource, Source

PRECISIONS = ("auto", "float32", "bfloat16")
_PREDICT_BATCH = 64


@dataclass(frozen=True)
class LoopSettings:
    """How a network is trained.

    Attributes:
        batch_size: samples per step.
        learning_rate: learning rate of Adam.
        patience: stop after this many epochs without a lower validation loss.
        max_epochs: maximum number of epochs.
        precision: `float32`, `bfloat16` (autocast) or `auto`, which is bfloat16 on a GPU and float32 elsewhere.

    Raises:
        ModelError: a value is invalid.
    """

    batch_size: int
    learning_rate: float
    patience: int
    max_epochs: int
    precision: str = "float32"

    def __post_init__(self) -> None:
        require_choice("precision", self.precision, PRECISIONS)
        for name in ("batch_size", "patience", "max_epochs"):
            require_integer(name, getattr(self, name))
        require_positive("learning_rate", self.learning_rate)


@dataclass
class History:
    """Mean losses by epoch, and the epoch (from 0) whose weights were kept."""

    train: list[float] = field(default_factory=list)
    validation: list[float] = field(default_factory=list)
    best_epoch: int = 0

    def curve(self, stage: str, objective: Objective) -> LearningCurve:
        """The history as a learning curve."""
        return LearningCurve(stage, objective.errors(self.train), objective.errors(self.validation), self.best_epoch)


@dataclass(frozen=True)
class Report:
    """Where the loop reports to.

    Attributes:
        progress: called after each epoch with epochs done, the maximum, and a message.
        notes: sentences for the reader of the result are appended.
        title: what is being trained.
    """

    progress: Callable[[int, int, str], None]
    notes: list[str]
    title: str = "training"


def train(
    network: nn.Module,
    training: LabelledSource,
    validation: LabelledSource,
    objective: Objective,
    settings: LoopSettings,
    report: Report,
) -> History:
    """Train until the validation loss has not improved for `patience` epochs, then restore the best weights.

    Weights that do not require gradients stay as they are.

    Args:
        network: from the inputs of a source to outputs of shape (n, 1); on the device. Changed in place.
        training: rows to learn from.
        validation: rows for early stopping.
        objective: the loss.
        settings: how to train.
        report: where to report to.

    Raises:
        ModelError: the loss is not finite from the first epoch on.
    """
    optimizer, splitter = make_optimizer(network, settings), BatchSplitter(report.notes)
    history, best, best_weights = History(), math.inf, None
    for epoch in range(settings.max_epochs):
        history.train.append(train_epoch(network, training, objective, optimizer, settings, splitter))
        outputs = predict(network, validation.inputs, settings, splitter)
        history.validation.append(float(objective.loss(outputs, validation.targets).mean()))
        if history.validation[-1] < best:
            best, history.best_epoch = history.validation[-1], epoch
            best_weights = copy.deepcopy(network.state_dict())
        report.progress(epoch + 1, settings.max_epochs, f"{report.title}, validation loss {best:.4g}")
        if epoch - history.best_epoch >= settings.patience or not math.isfinite(history.train[-1]):
            break
    if best_weights is None:
        raise ModelError("The loss was not finite from the first epoch on; lower the learning rate.")
    if not math.isfinite(history.train[-1]):
        report.notes.append(
            f"The loss of {report.title} was not finite in epoch {len(history.train)}: training stopped there and the "
            f"weights of epoch {history.best_epoch + 1} were kept. Lower the learning rate."
        )
    network.load_state_dict(best_weights)
    return history


def make_optimizer(network: nn.Module, settings: LoopSettings) -> torch.optim.Optimizer:
    """Adam with the epsilon of Keras on the weights that require gradients; the network must be on its device."""
    import torch

    weights = [parameter for parameter in network.parameters() if parameter.requires_grad]
    return torch.optim.Adam(weights, lr=settings.learning_rate, eps=1e-7, fused=True)


def train_epoch(
    network: nn.Module,
    training: LabelledSource,
    objective: Objective,
    optimizer: torch.optim.Optimizer,
    settings: LoopSettings,
    splitter: BatchSplitter,
) -> float:
    """One pass over the training rows in random order; returns the mean loss."""
    import torch

    inputs, targets = training.inputs, training.targets

    def backward(rows: np.ndarray, batch_size: int) -> torch.Tensor:
        with _autocast(targets.device, settings):
            outputs = network(*inputs.batch(rows, training=True))
        loss = objective.loss(outputs.float(), targets[torch.from_numpy(rows).to(targets.device)]).sum()
        (loss / batch_size).backward()
        return loss.detach()

    network.train()
    total = torch.zeros((), device=targets.device)
    for rows in _batches(torch.randperm(len(inputs)).numpy(), settings.batch_size):
        losses = splitter.run(rows, partial(backward, batch_size=len(rows)), optimizer.zero_grad)
        total += torch.stack(losses).sum()
        optimizer.step()
    return float(total) / len(inputs)


def predict(network: nn.Module, inputs: Source, settings: LoopSettings, splitter: BatchSplitter) -> torch.Tensor:
    """Network outputs in evaluation mode, shape (n, 1), float32."""
    import torch

    def forward(rows: np.ndarray) -> torch.Tensor:
        with _autocast(next(network.parameters()).device, settings):
            return network(*inputs.batch(rows, training=False)).float()

    network.eval()
    with torch.inference_mode():
        pieces = [splitter.run(rows, forward) for rows in _batches(np.arange(len(inputs)), _PREDICT_BATCH)]
    return torch.cat([output for outputs in pieces for output in outputs])


def _batches(rows: np.ndarray, size: int) -> list[np.ndarray]:
    return [rows[start : start + size] for start in range(0, len(rows), size)]


def _autocast(device: torch.device, settings: LoopSettings) -> Any:
    import torch

    return torch.autocast(device.type, torch.bfloat16, enabled=uses_bfloat16(settings.precision, device.type))
