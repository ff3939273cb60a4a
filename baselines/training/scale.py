"""The scale targets are learnt on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch

# Standard deviation of the stacking-fault energies, mJ/m2. The paper's learning rates were found on them, and the
# steps of Adam do not shrink with the target.
SFE_SPREAD = 16.0


@dataclass(frozen=True)
class TargetScale:
    """Targets shifted to mean 0 and scaled to the spread of `sfe`, so that a learning rate means the same on any task.

    Attributes:
        mean: of the training targets.
        unit: task units per unit of the scale.
    """

    mean: float
    unit: float

    @classmethod
    def of(cls, targets: np.ndarray) -> TargetScale:
        """The scale of some training targets."""
        spread = float(np.std(targets))
        return cls(float(np.mean(targets)), spread / SFE_SPREAD if spread > 0 else 1.0)

    def scaled(self, targets: np.ndarray, device: str) -> torch.Tensor:
        """Targets as the network learns them, shape (n, 1)."""
        import torch

        values = (np.asarray(targets, dtype=np.float64) - self.mean) / self.unit
        return torch.tensor(values, dtype=torch.float32, device=device)[:, None]

    def restored(self, outputs: torch.Tensor) -> np.ndarray:
        """Network outputs, shape (n, 1), in task units, shape (n,)."""
        return outputs.cpu().numpy()[:, 0].astype(np.float64) * self.unit + self.mean
