"""What the answers of a fit took: tokens, dollars, seconds."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .prices import Price
from .store import Answer


@dataclass
class UsageCount:
    """Counts answers as they are delivered. Memory: eight bytes an answer.

    Attributes:
        price: of the model; None where unknown.
    """

    price: Price | None
    answers: int = 0
    new: int = 0
    prompt_tokens: int | None = 0
    completion_tokens: int | None = 0
    cost: float | None = 0.0
    seconds: list[float] = field(default_factory=list)
    models: Counter[str] = field(default_factory=Counter)
    statuses: Counter[str] = field(default_factory=Counter)

    def add(self, answer: Answer) -> None:
        """Count an answer."""
        usage = answer.response.get("usage") or {}
        self.answers += 1
        self.new += answer.is_new
        self.prompt_tokens = _sum(self.prompt_tokens, usage.get("prompt_tokens"))
        self.completion_tokens = _sum(self.completion_tokens, usage.get("completion_tokens"))
        cost = None if self.price is None else self.price.cost(usage, answer.batch)
        self.cost = None if self.cost is None or cost is None else self.cost + cost
        if answer.seconds is not None:
            self.seconds.append(answer.seconds)
        self.models[str(answer.response.get("model") or "not stated")] += 1

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
        }


def _sum(total: int | None, more: Any) -> int | None:
    return total + more if total is not None and isinstance(more, int) else None
