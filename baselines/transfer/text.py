"""Texts through a pretrained encoder: tokens, and pooled token embeddings kept by content."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from ...benchmark.errors import ModelError
from ..training.sources import FeatureSource, TensorSource
from .backbone import ALL
from .hub import Pretrained, load_model, open_pretrained
from .text_features import TextFeatures

if TYPE_CHECKING:
    from datasets import Dataset
    from torch import nn

    from ...benchmark.predictor import RunContext
    from ..training.sources import Source
    from .networks import TextNetwork
    from .stages import SourceOf

# The paper's encoders, by the names of their repositories.
PRESETS = {"roberta-base": "FacebookAI/roberta-base", "albert-base-v2": "albert/albert-base-v2"}


def load_encoder(name: str) -> TextEncoder:
    """The encoder of a preset, of a repository on the hub, or in a folder.

    Raises:
        ModelError: it is not there.
    """
    return open_pretrained(TextEncoder, PRESETS.get(str(name), str(name)), "text encoder")


class TextEncoder(Pretrained):
    """A transformers encoder without its pooler."""

    @cached_property
    def model(self) -> nn.Module:
        """The network; loaded when it is first needed."""
        from transformers import AutoModel

        model = load_model(AutoModel, self.folder, "text encoder")
        if getattr(model, "pooler", None) is not None:
            model.pooler = None  # of its pre-training task; token embeddings are pooled here
        return model

    @property
    def width(self) -> int:
        """Length of a token embedding."""
        return int(self.model.config.hidden_size)

    def require_tokens(self, count: int) -> None:
        """Check that the encoder reads texts of so many tokens.

        Raises:
            ModelError: it does not.
        """
        positions = getattr(self.model.config, "max_position_embeddings", count)
        most = min(self.tokenizer.model_max_length, positions)
        least = self.tokenizer.num_special_tokens_to_add() + 1  # with fewer, nothing of the text is left
        if not least <= count <= most:
            name = self.folder.name
            raise ModelError(f"max_tokens={count} is not possible; {name} reads {least} to {most} tokens.")

    def require_layers(self, count: int | str) -> None:
        """Check that the encoder has so many layers to train.

        Raises:
            ModelError: it has fewer.
        """
        most = max(len(self._stack(self.model)), getattr(self.model.config, "num_hidden_layers", 0))
        if count != ALL and int(count) > most:
            raise ModelError(f"text_layers={count} is not possible; {self.folder.name} has {most}, or all.")

    def trainable(self, layers: int | str) -> TextNetwork:
        """A copy whose last layers are trained; `all` for all of it."""
        from .networks import TextNetwork

        model = copy.deepcopy(self.model)
        for part in [model] if layers == ALL else list(self._stack(model))[-int(layers) :]:
            part.requires_grad_(True)
        return TextNetwork(model)

    @staticmethod
    def _stack(model: nn.Module) -> nn.ModuleList:
        """The list of a model's blocks: of all its lists, the one with most weights."""
        from torch import nn

        stacks = [module for module in model.modules() if isinstance(module, nn.ModuleList)]
        return max(stacks, key=lambda stack: sum(p.numel() for p in stack.parameters()))


@dataclass(frozen=True)
class TextBranch:
    """The text side of a model during one fit.

    Attributes:
        encoder: the pretrained encoder.
        max_tokens: texts are cut after this many.
        context: the run.
    """

    encoder: TextEncoder
    max_tokens: int
    context: RunContext

    def pooled(self) -> SourceOf:
        """Pooled token embeddings of the frozen encoder, from the store."""

        def source(data: Dataset, training: bool) -> Source:
            return FeatureSource(self._features.rows(list(data["text"])), None, self.context.device)

        return source

    def tokens(self) -> SourceOf:
        """Tokens and their mask, for an encoder that is trained."""

        def source(data: Dataset, training: bool) -> Source:
            return TensorSource(self._features.tokens(list(data["text"])))

        return source

    def cut(self, data: Dataset) -> int:
        """How many texts are longer than `max_tokens`."""
        lengths = self.encoder.tokenizer(list(data["text"]), verbose=False)["input_ids"]
        return sum(len(ids) > self.max_tokens for ids in lengths)

    @cached_property
    def _features(self) -> TextFeatures:
        from .networks import TextNetwork

        recipe = {"version": 1, "encoder": self.encoder.sha256, "pooling": "mean"}
        return TextFeatures(
            lambda: TextNetwork(self.encoder.model).to(self.context.device),
            recipe,
            self.encoder.tokenizer,
            self.max_tokens,
            self.context,
        )
