"""The text side of a transfer model: a pretrained encoder, its tokens, and its pooled embeddings."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from ...benchmark.errors import ModelError
from ..training.sources import TensorSource
from .backbone import ALL
from .feature_extraction import TextFeatures
from .pretrained import Pretrained, load_model, open_pretrained

if TYPE_CHECKING:
    from datasets import Dataset
    from torch import nn

    from ...benchmark.predictor import RunContext
    from ..training.sources import Source
    from .networks import TextNetwork

# The paper's encoders and their repositories on the hub.
ENCODERS = {"roberta-base": "FacebookAI/roberta-base", "albert-base-v2": "albert/albert-base-v2"}


def load_text_model(name: str) -> TextModel:
    """Load a text encoder by preset, by its name on the hub, or from a folder.

    Raises:
        ModelError: it cannot be found.
    """
    return open_pretrained(TextModel, ENCODERS.get(str(name), str(name)), "text encoder")


class TextModel(Pretrained):
    """A transformers encoder without its pooler."""

    @cached_property
    def model(self) -> nn.Module:
        """The network, loaded on first use."""
        from transformers import AutoModel

        model = load_model(AutoModel, self.folder, "text encoder")
        if getattr(model, "pooler", None) is not None:
            model.pooler = None  # it belongs to pretraining; here token embeddings are pooled by their mean
        return model

    @property
    def width(self) -> int:
        """Length of a token embedding."""
        return int(self.model.config.hidden_size)

    def require_tokens(self, count: int) -> None:
        """Require that the encoder reads texts of `count` tokens.

        Raises:
            ModelError: it does not.
        """
        positions = getattr(self.model.config, "max_position_embeddings", count)
        most = min(self.tokenizer.model_max_length, positions)
        least = self.tokenizer.num_special_tokens_to_add() + 1  # fewer leave nothing of the text
        if not least <= count <= most:
            raise ModelError(f"max_tokens={count} is out of range: {self.folder.name} reads {least} to {most} tokens.")

    def require_layers(self, count: int | str) -> None:
        """Require that the encoder has `count` blocks to train.

        Raises:
            ModelError: it has fewer.
        """
        most = max(len(self._blocks(self.model)), getattr(self.model.config, "num_hidden_layers", 0))
        if count != ALL and int(count) > most:
            raise ModelError(f"text_layers={count} is out of range: {self.folder.name} has {most} blocks; or give all.")

    def trainable(self, layers: int | str) -> TextNetwork:
        """A copy whose last blocks are trained; `all` for the whole encoder."""
        from .networks import TextNetwork

        model = copy.deepcopy(self.model)
        for part in [model] if layers == ALL else list(self._blocks(model))[-int(layers) :]:
            part.requires_grad_(True)
        return TextNetwork(model)

    @staticmethod
    def _blocks(model: nn.Module) -> nn.ModuleList:
        """The model's blocks: of all its module lists, the one with most weights."""
        from torch import nn

        lists = [module for module in model.modules() if isinstance(module, nn.ModuleList)]
        return max(lists, key=lambda blocks: sum(p.numel() for p in blocks.parameters()))


@dataclass(frozen=True)
class TextEncoder:
    """The text side during one fit.

    Attributes:
        pretrained: the pretrained encoder.
        max_tokens: texts are truncated to this many tokens.
        context: the run.
    """

    pretrained: TextModel
    max_tokens: int
    context: RunContext

    def pooled_inputs(self, data: Dataset, training: bool) -> Source:
        """Mean token embeddings of the frozen encoder, from the feature store."""
        return self._features.source(data)

    def token_inputs(self, data: Dataset, training: bool) -> Source:
        """Tokens and their mask, for an encoder that is trained."""
        return TensorSource(self._features.tokenize(list(data["text"])))

    def count_truncated(self, data: Dataset) -> int:
        """Number of texts that are longer than `max_tokens`."""
        lengths = self.pretrained.tokenizer(list(data["text"]), verbose=False)["input_ids"]
        return sum(len(ids) > self.max_tokens for ids in lengths)

    @cached_property
    def _features(self) -> TextFeatures:
        from .networks import TextNetwork

        recipe = {"version": 1, "encoder": self.pretrained.sha256, "pooling": "mean"}
        return TextFeatures(
            lambda: TextNetwork(self.pretrained.model).to(self.context.device),
            recipe,
            self.pretrained.tokenizer,
            self.max_tokens,
            self.context,
        )
