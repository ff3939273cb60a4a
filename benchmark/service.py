"""How a model behind a service is asked, and what it may cost. Nothing here changes an answer."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from .errors import EcdbenchError


@dataclass
class Budget:
    """What one command may send and spend; shared by all its parts.

    Attributes:
        max_requests: requests at most, repeated ones included; None for no bound.
        max_cost: dollars at most; None for no bound.
        requests: requests sent.
        cost: dollars spent on answers whose price is known.
        promised: dollars that requests in flight may cost.
        in_flight: how many there are.
    """

    max_requests: int | None = None
    max_cost: float | None = None
    requests: int = 0
    cost: float = 0.0
    promised: float = 0.0
    in_flight: int = 0

    def refusal(self, estimate: float | None) -> str | None:
        """Why a request that may cost `estimate` dollars must not be sent, or None where it may."""
        if self.max_requests is not None and self.requests >= self.max_requests:
            return f"--max-requests {self.max_requests} is reached"
        if self.max_cost is not None and self.cost + self.promised + (estimate or 0.0) > self.max_cost:
            return f"--max-cost {self.max_cost:g} would be passed (${self.cost:.4f} spent)"
        return None

    def promise(self, estimate: float | None) -> None:
        """Count a request that is sent now."""
        self.requests += 1
        self.in_flight += 1
        self.promised += estimate or 0.0

    def settle(self, estimate: float | None, cost: float | None) -> None:
        """The request is answered, or lost: what it cost replaces what it might have cost."""
        self.in_flight -= 1
        self.promised = self.promised - (estimate or 0.0) if self.in_flight else 0.0  # no dust of rounding
        self.cost += cost or 0.0


@dataclass(frozen=True)
class Service:
    """How a model behind a service is asked.

    Attributes:
        store: file that keeps every answer; None for one that lives as long as the part.
        concurrency: requests in flight at most.
        timeout: seconds to wait for one answer.
        batch: use the provider's batch interface.
        prices: file with the user's own prices.
        budget: what may be sent and spent.
    """

    store: Path | None = None
    concurrency: int = 8
    timeout: float = 120.0
    batch: bool = False
    prices: Path | None = None
    budget: Budget = field(default_factory=Budget)

    def __post_init__(self) -> None:
        for name, value in (("concurrency", self.concurrency), ("timeout", self.timeout)):
            if not value > 0:
                raise EcdbenchError(f"--{name} {value} makes no sense; give a number above 0.")
