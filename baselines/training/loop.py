"""The training loop that every torch baseline shares: Adam, squared error, early stopping, best weights restored."""

from __future__ import annotations

import copy
import ctypes
import math
import platform
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from ...benchmark.errors import EcdbenchError, MissingExtraError, ModelError

if TYPE_CHECKING:
    import torch
    from torch import nn

PRECISIONS = ("float32", "bfloat16")
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
        precision: `float32`, or `bfloat16` for autocast where the processor has it.
    """

    batch_size: int
    learning_rate: float
    patience: int
    max_epochs: int
    precision: str = "float32"


@dataclass
class History:
    """Losses (mean squared error, target units squared) by epoch, and the epoch whose weights were kept."""

    train: list[float] = field(default_factory=list)
    validation: list[float] = field(default_factory=list)
    best_epoch: int = 0

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for a json file."""
        return asdict(self)


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

    if device == "cpu":
        _keep_freed_memory()
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


def _keep_freed_memory() -> None:
    """Let the C library keep the buffers that every training step frees and asks for again.

    By default glibc returns large ones to the system, and an epoch spends a tenth of its time on page faults.
    """
    if platform.libc_ver()[0] == "glibc":
        libc = ctypes.CDLL(None)
        libc.mallopt(_M_MMAP_THRESHOLD, 32 << 20)  # the largest value it takes
        libc.mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)


def to_tensor(images: Any, device: str) -> torch.Tensor:
    """Images of shape (n, height, width, 3) as a channels-last tensor (n, 3, height, width) on the device."""
    import torch

    return torch.from_numpy(images).to(device).permute(0, 3, 1, 2)


def train(
    network: nn.Module,
    images: torch.Tensor,
    targets: torch.Tensor,
    watched_images: torch.Tensor,
    watched_targets: torch.Tensor,
    settings: LoopSettings,
    progress: Callable[[int, int, str], None],
) -> History:
    """Train until the validation loss has not improved for `patience` epochs; the best weights are restored.

    Args:
        network: from (n, 3, h, w) to (n, 1); on the tensors' device. Changed in place.
        images: training images, shape (n, 3, h, w).
        targets: shape (n, 1), task units.
        watched_images: validation images.
        watched_targets: validation targets.
        settings: see `LoopSettings`.
        progress: called after each epoch.

    Raises:
        ModelError: the loss is not finite from the first epoch on.
    """

    optimizer = make_optimizer(network, settings)
    history, best, kept = History(), math.inf, None
    for epoch in range(settings.max_epochs):
        history.train.append(train_epoch(network, images, targets, optimizer, settings))
        difference = predict(network, watched_images, settings) - watched_targets
        history.validation.append(float(difference.square().mean()))
        if history.validation[-1] < best:
            best, history.best_epoch = history.validation[-1], epoch
            kept = copy.deepcopy(network.state_dict())
        progress(epoch + 1, settings.max_epochs, f"validation RMSE {math.sqrt(best):.4g}")
        if epoch - history.best_epoch >= settings.patience or not math.isfinite(history.train[-1]):
            break
    if kept is None:
        raise ModelError("The loss was not finite from the first epoch on; lower the learning rate.")
    network.load_state_dict(kept)
    return history


def make_optimizer(network: nn.Module, settings: LoopSettings) -> torch.optim.Optimizer:
    """Adam with Keras' epsilon, for a network that `prepare` has placed."""
    import torch

    return torch.optim.Adam(network.parameters(), lr=settings.learning_rate, eps=1e-7, fused=True)


def train_epoch(
    network: nn.Module,
    images: torch.Tensor,
    targets: torch.Tensor,
    optimizer: torch.optim.Optimizer,
    settings: LoopSettings,
) -> float:
    """One pass over the training rows in random order; returns the mean loss."""
    import torch

    network.train()
    total = torch.zeros((), device=images.device)
    for batch in torch.randperm(len(images), device=images.device).split(settings.batch_size):
        optimizer.zero_grad(set_to_none=True)
        with _precision(images, settings):
            output = network(images[batch].contiguous(memory_format=torch.channels_last))
        loss = torch.nn.functional.mse_loss(output.float(), targets[batch])
        loss.backward()
        optimizer.step()
        total += loss.detach() * len(batch)
    return float(total) / len(images)


def predict(network: nn.Module, images: torch.Tensor, settings: LoopSettings) -> torch.Tensor:
    """Predictions, shape (n, 1), float32, in evaluation mode."""
    import torch

    network.eval()
    with torch.inference_mode(), _precision(images, settings):
        batches = images.split(max(32, settings.batch_size))
        outputs = [network(batch.contiguous(memory_format=torch.channels_last)) for batch in batches]
    return torch.cat(outputs).float()


def _precision(images: torch.Tensor, settings: LoopSettings) -> Any:
    import torch

    return torch.autocast(images.device.type, torch.bfloat16, enabled=settings.precision == "bfloat16")
