"""Texts through a pretrained encoder: tokens, and pooled token embeddings kept by content."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...benchmark.errors import ModelError
from ...benchmark.features import FeatureRows, content_key
from ..training.memory import Halving
from ..training.sources import FeatureSource, TensorSource
from .backbone import ALL
from .extract import Network
from .hub import find_folder, hash_of_folder, load_model

if TYPE_CHECKING:
    import torch
    from datasets import Dataset
    from torch import nn

    from ...benchmark.predictor import RunContext
    from ..training.sources import Source
    from .networks import TextNetwork
    from .stages import SourceOf

# The paper's encoders, by the names of their repositories.
PRESETS = {"roberta-base": "FacebookAI/roberta-base", "albert-base-v2": "albert/albert-base-v2"}
_VOCABULARIES = (
    "tokenizer.json", "vocab.txt", "vocab.json", "spiece.model", "sentencepiece.bpe.model", "tokenizer.model"
)  # fmt: skip
_BATCH = 64


def load_encoder(name: str) -> TextEncoder:
    """An encoder; folds and seeds share it, since nothing changes it.

    Raises:
        ModelError: it is not there.
    """
    folder = find_folder(PRESETS.get(name, name), "text encoder")
    return _encoder_of(folder, hash_of_folder(folder))


@lru_cache(maxsize=2)
def _encoder_of(folder: Path, sha256: str) -> TextEncoder:
    return TextEncoder(folder, sha256)


def load_tokenizer(folder: Path) -> Any:
    """The tokenizer in a model's folder.

    Raises:
        ModelError: there is none.
    """
    from transformers import AutoTokenizer

    sentence = f"{folder} has no tokenizer that can be loaded; put the encoder's tokenizer files beside its weights."
    if not any((folder / name).is_file() for name in _VOCABULARIES):
        raise ModelError(sentence)  # transformers would make an empty one
    try:
        return AutoTokenizer.from_pretrained(folder, local_files_only=True)
    except Exception as error:
        raise ModelError(sentence) from error


@dataclass(frozen=True)
class TextEncoder:
    """A transformers encoder in inference mode, its weights frozen.

    Attributes:
        folder: of the model and its tokenizer.
        sha256: hash of its files.
    """

    folder: Path
    sha256: str

    @cached_property
    def model(self) -> nn.Module:
        """The network; loaded when it is first needed."""
        from transformers import AutoModel

        model = load_model(AutoModel, self.folder, "text encoder")
        if getattr(model, "pooler", None) is not None:
            model.pooler = None  # of its pre-training task; token embeddings are pooled here
        return model

    @cached_property
    def tokenizer(self) -> Any:
        """Its tokenizer."""
        return load_tokenizer(self.folder)

    @property
    def width(self) -> int:
        """Length of a token embedding."""
        return int(self.model.config.hidden_size)

    @property
    def parameters(self) -> int:
        """Number of weights, without the pooler."""
        return sum(parameter.numel() for parameter in self.model.parameters())

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


@dataclass(frozen=True)
class TextFeatures:
    """Features of texts by a frozen network, from the store of a run.

    Attributes:
        network: gives the network, from tokens and mask, on its device; called when there is something to compute.
        recipe: what features depend on besides the text.
        tokenizer: of the network.
        max_tokens: texts are cut after this many.
        context: the run.
    """

    network: Callable[[], Network]
    recipe: dict[str, Any]
    tokenizer: Any
    max_tokens: int
    context: RunContext

    def tokens(self, texts: Sequence[str]) -> tuple[torch.Tensor, torch.Tensor]:
        """Tokens and their mask, shape (n, longest), on the device."""
        found = self.tokenizer(
            list(texts), padding=True, truncation=True, max_length=self.max_tokens, return_tensors="pt"
        ).to(self.context.device)
        return found["input_ids"], found["attention_mask"]

    def rows(self, texts: Sequence[str]) -> FeatureRows:
        """Features of some texts."""
        recipe = {**self.recipe, "tokens": self.max_tokens, "transformers": version("transformers")}
        keys = [content_key(text.encode()) for text in texts]
        return self.context.features.rows(recipe, keys, lambda missing: self._blocks(texts, missing))

    def _blocks(self, texts: Sequence[str], missing: Sequence[int]) -> Iterator[np.ndarray]:
        import torch

        network, halving = self.network(), Halving(self.context.notes)

        def forward(rows: np.ndarray) -> torch.Tensor:
            with torch.inference_mode():
                return network(*self.tokens([texts[row] for row in rows])).float().cpu()

        for start in range(0, len(missing), _BATCH):
            for block in halving.run(np.array(missing[start : start + _BATCH]), forward):
                yield block.numpy()
            self.context.progress(min(start + _BATCH, len(missing)), len(missing), "features of texts")
