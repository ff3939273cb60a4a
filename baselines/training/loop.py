"""The training loop that every torch baseline shares: Adam, squared error, early stopping, best weights restored."""

from __future__ import annotations

import copy
import ctypes
import math
import platform
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from ...benchmark.errors import EcdbenchError, MissingExtraError, ModelError
from .checks import require_choice, require_rate, require_whole
from .memory import Halving

if TYPE_CHECKING:
    import torch
    from torch import nn

    from .sources import Source

PRECISIONS = ("auto", "float32", "bfloat16")
_PREDICT_BATCH = 64
# Parameter numbers of mallopt(3).
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3


@dataclass(frozen=True)
class LoopSettings:
    """How a network is trained.

    Attributes:
        batch_size: samples per step.
        learning_rate: of Adam.
        patience: epochs without a better validation loss before stopping.
        max_epochs: epochs at most.
        precision: `float32`, `bfloat16` for autocast where the processor has it, or `auto`: bfloat16 on a GPU.

    Raises:
        ModelError: a value makes no sense.
    """

    batch_size: int
    learning_rate: float
    patience: int
    max_epochs: int
    precision: str = "float32"

    def __post_init__(self) -> None:
        require_choice("precision", self.precision, PRECISIONS)
        for name in ("batch_size", "patience", "max_epochs"):
            require_whole(name, getattr(self, name))
        require_rate("learning_rate", self.learning_rate)


@dataclass
class History:
    """Losses (mean squared error, in the units the network was trained in) by epoch, and the epoch whose weights were
    kept."""

    train: list[float] = field(default_factory=list)
    validation: list[float] = field(default_factory=list)
    best_epoch: int = 0

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for a json file."""
        return asdict(self)


@dataclass(frozen=True)
class Report:
    """Who is told how the training goes.

    Attributes:
        progress: called after each epoch.
        notes: sentences for whoever reads the result are appended.
        title: what is being trained, where there are several things.
    """

    progress: Callable[[int, int, str], None]
    notes: list[str]
    title: str = "training"


def require_torch() -> None:
    """Check that torch is installed.

    Raises:
        MissingExtraError: it is not.
    """
    try:
        import torch  # noqa: F401
    except ImportError as error:
        raise MissingExtraError("This model", "torch") from error


def prepare(network: nn.Module, device: str) -> nn.Module:
    """Move a network to a device, in the memory layout that convolutions like.

    Raises:
        EcdbenchError: the device is not there.
    """
    import torch

    keep_freed_memory(device)
    check_device(device)
    return network.to(device=torch.device(device), memory_format=torch.channels_last)


def check_device(device: str) -> None:
    """Check that a torch device can be used.

    Raises:
        EcdbenchError: it cannot.
    """
    import torch

    try:
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).partition("\n")[0].rstrip(".")
        raise EcdbenchError(f"The device '{device}' cannot be used ({reason}); use --device cpu.") from error


def keep_freed_memory(device: str) -> None:
    """On a processor, let the C library keep the buffers that every training step frees and asks for again.

    By default glibc returns large ones to the system, and an epoch spends a tenth of its time on page faults.
    """
    if device == "cpu" and platform.libc_ver()[0] == "glibc":
        libc = ctypes.CDLL(None)
        libc.mallopt(_M_MMAP_THRESHOLD, 32 << 20)  # the largest value it takes
        libc.mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)


def to_tensor(images: Any, device: str) -> torch.Tensor:
    """Images of shape (n, height, width, 3) as a channels-last tensor (n, 3, height, width) on the device."""
    import torch

    return torch.from_numpy(images).to(device).permute(0, 3, 1, 2)


def train(
    network: nn.Module,
    source: Source,
    targets: torch.Tensor,
    watched: Source,
    watched_targets: torch.Tensor,
    settings: LoopSettings,
    report: Report,
) -> History:
    """Train until the validation loss has not improved for `patience` epochs; the best weights are restored.

    Weights that do not require gradients stay as they are.

    Args:
        network: from what a source gives to (n, 1); on the device. Changed in place.
        source: training rows.
        targets: shape (n, 1), on the device.
        watched: validation rows.
        watched_targets: their targets.
        settings: see `LoopSettings`.
        report: who is told.

    Raises:
        ModelError: the loss is not finite from the first epoch on.
    """
    optimizer, halving = make_optimizer(network, settings), Halving(report.notes)
    history, best, kept = History(), math.inf, None
    for epoch in range(settings.max_epochs):
        history.train.append(train_epoch(network, source, targets, optimizer, settings, halving))
        difference = predict(network, watched, settings, halving) - watched_targets
        history.validation.append(float(difference.square().mean()))
        if history.validation[-1] < best:
            best, history.best_epoch = history.validation[-1], epoch
            kept = copy.deepcopy(network.state_dict())
        report.progress(epoch + 1, settings.max_epochs, f"{report.title}, validation loss {best:.4g}")
        if epoch - history.best_epoch >= settings.patience or not math.isfinite(history.train[-1]):
            break
    if kept is None:
        raise ModelError("The loss was not finite from the first epoch on; lower the learning rate.")
    if not math.isfinite(history.train[-1]):
        report.notes.append(
            f"The loss of {report.title} was not finite in epoch {len(history.train)}: training stopped there and the "
            f"weights of epoch {history.best_epoch + 1} were kept. Lower the learning rate."
        )
    network.load_state_dict(kept)
    return history


def make_optimizer(network: nn.Module, settings: LoopSettings) -> torch.optim.Optimizer:
    """Adam with Keras' epsilon on the weights that require gradients, for a network that is on its device."""
    import torch

    weights = [parameter for parameter in network.parameters() if parameter.requires_grad]
    return torch.optim.Adam(weights, lr=settings.learning_rate, eps=1e-7, fused=True)


def train_epoch(
    network: nn.Module,
    source: Source,
    targets: torch.Tensor,
    optimizer: torch.optim.Optimizer,
    settings: LoopSettings,
    halving: Halving,
) -> float:
    """One pass over the training rows in random order; returns the mean loss."""
    import torch

    def backward(rows: np.ndarray, size: int) -> torch.Tensor:
        with _precision(targets, settings):
            output = network(*source.batch(rows, training=True))
        difference = output.float() - targets[torch.from_numpy(rows).to(targets.device)]
        loss = difference.square().sum()
        (loss / size).backward()
        return loss.detach()

    network.train()
    total = torch.zeros((), device=targets.device)
    for rows in _batches(torch.randperm(len(source)).numpy(), settings.batch_size):
        losses = halving.run(rows, partial(backward, size=len(rows)), optimizer.zero_grad)
        total += torch.stack(losses).sum()
        optimizer.step()
    return float(total) / len(source)


def predict(network: nn.Module, source: Source, settings: LoopSettings, halving: Halving) -> torch.Tensor:
    """Predictions, shape (n, 1), float32, in evaluation mode."""
    import torch

    def forward(rows: np.ndarray) -> torch.Tensor:
        with _precision(next(network.parameters()), settings):
            return network(*source.batch(rows, training=False)).float()

    network.eval()
    with torch.inference_mode():
        pieces = [halving.run(rows, forward) for rows in _batches(np.arange(len(source)), _PREDICT_BATCH)]
    return torch.cat([output for outputs in pieces for output in outputs])


def _batches(rows: np.ndarray, size: int) -> list[np.ndarray]:
    return [rows[start : start + size] for start in range(0, len(rows), size)]


def _precision(on: torch.Tensor, settings: LoopSettings) -> Any:
    import torch

    device = on.device.type
    return torch.autocast(device, torch.bfloat16, enabled=is_reduced(settings.precision, device))


def is_reduced(precision: str, device: str) -> bool:
    """Whether to compute in bfloat16."""
    return precision == "bfloat16" or (precision == "auto" and device.startswith("cuda"))
