"""Where the training loop takes its rows from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

if TYPE_CHECKING:
    import torch

    from ...benchmark.features import FeatureRows


class Source(Protocol):
    """The inputs of some rows, batch by batch."""

    def __len__(self) -> int:
        """How many rows there are."""
        ...

    def batch(self, rows: np.ndarray, training: bool) -> tuple[torch.Tensor, ...]:
        """What the network is called with for some rows, on its device; augmented where `training`."""
        ...


@dataclass(frozen=True)
class TensorSource:
    """Rows of tensors that are on the device already. Images, shape (n, 3, h, w), come channels-last."""

    tensors: tuple[torch.Tensor, ...]

    def __len__(self) -> int:
        return len(self.tensors[0])

    def batch(self, rows: np.ndarray, training: bool) -> tuple[torch.Tensor, ...]:
        """Some rows."""
        import torch

        index = torch.from_numpy(rows).to(self.tensors[0].device)
        return tuple(_laid_out(tensor[index]) for tensor in self.tensors)


@dataclass(frozen=True)
class FeatureSource:
    """Features read from disk: for training one random view of each row from its bank, else the plain one."""

    plain: FeatureRows
    bank: FeatureRows | None
    device: str

    def __len__(self) -> int:
        return len(self.plain)

    def batch(self, rows: np.ndarray, training: bool) -> tuple[torch.Tensor, ...]:
        """Features of some rows."""
        import torch

        if training and self.bank is not None:
            views = torch.randint(self.bank.shape[0], (len(rows),)).numpy()
            features = self.bank.take_views(rows, views)
        else:
            features = self.plain.take(rows)
        return (_laid_out(torch.from_numpy(features).to(self.device)),)


@dataclass(frozen=True)
class JoinedSource:
    """Several sources of the same rows, side by side."""

    sources: Sequence[Source]

    def __len__(self) -> int:
        return len(self.sources[0])

    def batch(self, rows: np.ndarray, training: bool) -> tuple[torch.Tensor, ...]:
        """The inputs from every source, in order."""
        return tuple(tensor for source in self.sources for tensor in source.batch(rows, training))


def _laid_out(tensor: torch.Tensor) -> torch.Tensor:
    import torch

    return tensor.contiguous(memory_format=torch.channels_last) if tensor.dim() == 4 else tensor
