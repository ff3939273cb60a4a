"""What a network learns: targets as it sees them, its loss, and its outputs as predictions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

if TYPE_CHECKING:
    import torch

    from ...benchmark.predictor import RunContext

# Standard deviation of the stacking-fault energies of `sfe`, mJ/m2.
SFE_STD = 16.0


class Objective(Protocol):
    """Links a network with one output to a kind of target."""

    def encode(self, targets: np.ndarray, device: str) -> torch.Tensor:
        """Targets, shape (n,), as the loss takes them: shape (n, 1), float32, on the device."""
        ...

    def loss(self, outputs: torch.Tensor, encoded: torch.Tensor) -> torch.Tensor:
        """Loss of each row, shape (n, 1), of network outputs and encoded targets of that shape."""
        ...

    def decode(self, outputs: torch.Tensor) -> np.ndarray:
        """Predictions, shape (n,), from network outputs, shape (n, 1)."""
        ...

    def errors(self, losses: Sequence[float]) -> list[float]:
        """Mean losses as learning curves show them."""
        ...


def choose_objective(context: RunContext, targets: np.ndarray, rescale: bool) -> Objective:
    """The objective for a task's kind of target.

    Args:
        context: the run.
        targets: training targets, shape (n,).
        rescale: whether a regression learns targets on the scale of `sfe` rather than in their own unit.
    """
    if context.kind == "classification":
        return CrossEntropy()
    return SquaredError.rescaled(targets) if rescale else SquaredError()


@dataclass(frozen=True)
class SquaredError:
    """Regression: squared error on targets that are shifted and scaled.

    Attributes:
        mean: target value that becomes 0.
        unit: target difference that becomes 1.
    """

    mean: float = 0.0
    unit: float = 1.0

    @classmethod
    def rescaled(cls, targets: np.ndarray) -> SquaredError:
        """Shift training targets to mean 0 and scale them to the standard deviation of `sfe`.

        The paper's learning rates were found on `sfe`, and the steps of Adam do not shrink with the target, so a
        learning rate has the same meaning on every task only if the scale is the same.
        """
        std = float(np.std(targets))
        return cls(float(np.mean(targets)), std / SFE_STD if std > 0 else 1.0)

    def encode(self, targets: np.ndarray, device: str) -> torch.Tensor:
        """Scaled targets, shape (n, 1)."""
        return _column((np.asarray(targets, dtype=np.float64) - self.mean) / self.unit, device)

    def loss(self, outputs: torch.Tensor, encoded: torch.Tensor) -> torch.Tensor:
        """Squared error of each row, shape (n, 1)."""
        return (outputs - encoded).square()

    def decode(self, outputs: torch.Tensor) -> np.ndarray:
        """Outputs in the task's unit, shape (n,)."""
        return outputs.cpu().numpy()[:, 0].astype(np.float64) * self.unit + self.mean

    def errors(self, losses: Sequence[float]) -> list[float]:
        """RMSE in the task's unit."""
        return [math.sqrt(loss) * self.unit for loss in losses]


@dataclass(frozen=True)
class CrossEntropy:
    """Binary classification: a sigmoid on the output, binary cross-entropy on targets that are 0 or 1."""

    def encode(self, targets: np.ndarray, device: str) -> torch.Tensor:
        """Targets as they are, shape (n, 1)."""
        return _column(targets, device)

    def loss(self, outputs: torch.Tensor, encoded: torch.Tensor) -> torch.Tensor:
        """Binary cross-entropy of each row, shape (n, 1); the outputs are logits."""
        from torch.nn.functional import binary_cross_entropy_with_logits

        return binary_cross_entropy_with_logits(outputs, encoded, reduction="none")

    def decode(self, outputs: torch.Tensor) -> np.ndarray:
        """Probabilities of class 1, shape (n,)."""
        return outputs.cpu().double().sigmoid().numpy()[:, 0]

    def errors(self, losses: Sequence[float]) -> list[float]:
        """The mean cross-entropy itself."""
        return list(losses)


def _column(values: np.ndarray, device: str) -> torch.Tensor:
    import torch

    return torch.tensor(np.asarray(values), dtype=torch.float32, device=device)[:, None]
