"""Building blocks of the transfer models. This module imports torch; import it inside functions."""

from __future__ import annotations

from collections.abc import Collection

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm


class PooledBackbone(nn.Module):
    """A timm network without its top: from normalised images to pooled features, shape (n, width)."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.network.forward_head(self.network.forward_features(images), pre_logits=True)


class Tail(nn.Module):
    """The trained part of a network, down to pooled features.

    As in Keras, a frozen normalisation uses its pretrained averages. So does a trained one unless `batch_statistics` is
    set: then only its scale and shift are learnt.

    Args:
        body: from the tensor at the split, or from images, to pooled features.
        trained: names of the modules to train; None for all.
        batch_statistics: whether trained normalisations use the statistics of the batch.
    """

    def __init__(self, body: nn.Module, trained: Collection[str] | None, batch_statistics: bool) -> None:
        super().__init__()
        self.body = body.requires_grad_(trained is None)
        if trained is not None:
            for name in trained:
                body.get_submodule(name).requires_grad_(True)
        self._fixed = [
            module
            for name, module in body.named_modules()
            if isinstance(module, _BatchNorm) and not (batch_statistics and (trained is None or name in trained))
        ]

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return self.body(inputs)

    def train(self, mode: bool = True) -> Tail:
        super().train(mode)
        for module in self._fixed:
            module.eval()
        return self


class FrozenNetwork(nn.Module):
    """A network that is not trained, and stays in inference mode whatever contains it."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network.requires_grad_(False).eval()

    def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
        return self.network(*inputs)

    def train(self, mode: bool = True) -> FrozenNetwork:
        self.training = mode
        return self


class TextNetwork(nn.Module):
    """A transformers encoder: from tokens and mask, shape (n, tokens), to mean token embeddings, shape (n, width)."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, tokens: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        embeddings = self.model(input_ids=tokens, attention_mask=mask).last_hidden_state
        weight = mask[:, :, None].to(embeddings.dtype)
        return (embeddings * weight).sum(dim=1) / weight.sum(dim=1)


class Fusion(nn.Module):
    """Image and text joined: concatenation, Dense 32, dropout, Dense 1 (Table 3 of arXiv 2401.09301).

    Args:
        image: from the first input to features, or to the image model's one output; None without image.
        text: from the other inputs to pooled token embeddings.
        width: length of the concatenation.
        dropout: dropout rate.
    """

    def __init__(self, image: nn.Module | None, text: nn.Module, width: int, dropout: float) -> None:
        super().__init__()
        self.image, self.text = image, text
        self.head = nn.Sequential(_dense(width, 32), nn.ReLU(), nn.Dropout(dropout), _dense(32, 1))

    def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
        if self.image is None:
            return self.head(self.text(*inputs))
        return self.head(torch.cat([self.image(inputs[0]), self.text(*inputs[1:])], dim=1))


class ConcatenatedInputs(nn.Module):
    """A head on the concatenation of its inputs."""

    def __init__(self, head: nn.Module) -> None:
        super().__init__()
        self.head = head

    def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
        return self.head(torch.cat(inputs, dim=1))


def linear_head(width: int, dropout: float) -> nn.Sequential:
    """The paper's head on pooled features: dropout and one linear neuron."""
    return nn.Sequential(nn.Dropout(dropout), _dense(width, 1))


def _dense(width: int, outputs: int) -> nn.Linear:
    """A dense layer initialised as in Keras: Glorot uniform, bias zero."""
    layer = nn.Linear(width, outputs)
    nn.init.xavier_uniform_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer
