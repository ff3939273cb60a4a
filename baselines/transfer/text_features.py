"""Features of texts by a frozen network, computed once and kept by content."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np

from ...benchmark.features import FeatureRows, content_key
from ..training.memory import Halving
from .extract import Network

if TYPE_CHECKING:
    import torch

    from ...benchmark.predictor import RunContext

_BATCH = 64


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
