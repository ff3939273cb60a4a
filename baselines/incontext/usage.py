"""What the answers of a fit took: tokens, dollars, seconds."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np

from .completion import Completion
from .prices import Price
from .store import Answer

_N = TypeVar("_N", int, float)


@dataclass
class UsageCount:
    """Counts answers as they are delivered. Memory: eight bytes an answer.

    Attributes:
        price: of the model; None where unknown.
    """

    price: Price | None
    answers: int = 0
    prompt_tokens: int | None = 0
    completion_tokens: int | None = 0
    cost: float | None = 0.0
    cut: int = 0
    seconds: list[float] = field(default_factory=list)
    models: Counter[str] = field(default_factory=Counter)
    statuses: Counter[str] = field(default_factory=Counter)

    def add(self, answer: Answer) -> None:
        """Count an answer."""
        said = answer.completion
        self.answers += 1
        self.prompt_tokens = _sum(self.prompt_tokens, said.prompt_tokens)
        self.completion_tokens = _sum(self.completion_tokens, said.completion_tokens)
        self.cost = _sum(self.cost, answer_cost(self.price, said, answer.batch))
        if answer.seconds is not None:
            self.seconds.append(answer.seconds)
        self.models[said.model or "not stated"] += 1

    def record(self, sent: int) -> dict[str, Any]:
        """The fields of `benchmark.results.Usage`."""
        median, p95 = np.percentile(self.seconds, [50, 95]).round(3).tolist() if self.seconds else (None, None)
        return {
            "answers": self.answers,
            "sent": sent,
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.completion_tokens,
            "cost": self.cost if self.answers else None,
            "seconds_median": median,
            "seconds_p95": p95,
            "models": sorted(self.models),
            "statuses": dict(self.statuses),
            "cut": self.cut,
        }


def answer_cost(price: Price | None, said: Completion, batch: bool = False) -> float | None:
    """Dollars for an answer; None where the price or the tokens are unknown."""
    return None if price is None else price.cost(said.prompt_tokens, said.completion_tokens, said.cached_tokens, batch)


def _sum(total: _N | None, more: _N | None) -> _N | None:
    return None if total is None or more is None else total + more
