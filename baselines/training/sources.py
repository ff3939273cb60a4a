"""Where the training loop gets its batches from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

if TYPE_CHECKING:
    import torch

    from ...benchmark.feature_store import FeatureRows


class Source(Protocol):
    """Network inputs of a fixed set of rows, served in batches."""

    def __len__(self) -> int:
        """Number of rows."""
        ...

    def batch(self, rows: np.ndarray, training: bool) -> tuple[torch.Tensor, ...]:
        """Positional arguments of the network for some rows, on its device; augmented if `training`.

        Tensors of images, shape (n, 3, height, width), are channels-last.
        """
        ...


@dataclass(frozen=True)
class LabelledSource:
    """Rows to train on or to validate with.

    Attributes:
        inputs: network inputs of the rows.
        targets: their encoded targets, shape (n, 1), on the device.
    """

    inputs: Source
    targets: torch.Tensor


@dataclass(frozen=True)
class TensorSource:
    """Rows of tensors that are on the device already."""

    tensors: tuple[torch.Tensor, ...]

    def __len__(self) -> int:
        return len(self.tensors[0])

    def batch(self, rows: np.ndarray, training: bool) -> tuple[torch.Tensor, ...]:
        """These rows of every tensor."""
        import torch

        index = torch.from_numpy(rows).to(self.tensors[0].device)
        return tuple(_channels_last(tensor[index]) for tensor in self.tensors)


@dataclass(frozen=True)
class FeatureSource:
    """Features read from disk; in training, one random view of each row from its bank of augmented views.

    Attributes:
        plain: features of the inputs as they are.
        bank: features of augmented views, shape (views, ...) per row; None without augmentation.
        device: where batches go.
    """

    plain: FeatureRows
    bank: FeatureRows | None
    device: str

    def __len__(self) -> int:
        return len(self.plain)

    def batch(self, rows: np.ndarray, training: bool) -> tuple[torch.Tensor, ...]:
        """Features of these rows."""
        import torch

        if training and self.bank is not None:
            views = torch.randint(self.bank.shape[0], (len(rows),)).numpy()
            features = self.bank.take_views(rows, views)
        else:
            features = self.plain.take(rows)
        return (_channels_last(torch.from_numpy(features).to(self.device)),)


@dataclass(frozen=True)
class JoinedSource:
    """Several sources of the same rows: the network gets the inputs of all of them, in order."""

    sources: Sequence[Source]

    def __len__(self) -> int:
        return len(self.sources[0])

    def batch(self, rows: np.ndarray, training: bool) -> tuple[torch.Tensor, ...]:
        """The inputs from every source."""
        return tuple(tensor for source in self.sources for tensor in source.batch(rows, training))


def image_tensor(images: np.ndarray, device: str) -> torch.Tensor:
    """Images of shape (n, height, width, 3) as a channels-last tensor, shape (n, 3, height, width), on the device."""
    import torch

    return torch.from_numpy(images).to(device).permute(0, 3, 1, 2)


def _channels_last(tensor: torch.Tensor) -> torch.Tensor:
    import torch

    return tensor.contiguous(memory_format=torch.channels_last) if tensor.dim() == 4 else tensor
