"""When the next request may be sent: what rate-limit answers and headers ask for."""

from __future__ import annotations

import asyncio
import random
import re
import time
from collections.abc import Mapping

_LONGEST = 600.0


class Pace:
    """Holds back all requests together: one that is told to wait tells the others."""

    def __init__(self) -> None:
        self._until = 0.0

    async def ready(self) -> None:
        """Wait until a request may be sent."""
        while (left := self._until - time.monotonic()) > 0:
            await asyncio.sleep(left + random.uniform(0, 0.05) * left)  # noqa: S311 - not all in one moment

    def hold(self, seconds: float) -> None:
        """Let nobody send for so many seconds."""
        self._until = max(self._until, time.monotonic() + min(seconds, _LONGEST))

    def heed(self, headers: Mapping[str, str], tokens: int) -> None:
        """Wait where the budget that an answer's headers tell of does not hold another request.

        Args:
            headers: `x-ratelimit-{limit,remaining,reset}-{requests,tokens}`, where the endpoint sends them.
            tokens: what the next request needs.
        """
        for kind, need in (("requests", 1), ("tokens", tokens)):
            remaining = _number(headers.get(f"x-ratelimit-remaining-{kind}"))
            full = _number(headers.get(f"x-ratelimit-limit-{kind}"))
            reset = _duration(headers.get(f"x-ratelimit-reset-{kind}", ""))
            if remaining is None or reset is None or remaining >= need:
                continue
            # `reset` is when all of it is there again; the part that is missing comes sooner.
            share = 1.0 if full is None or full <= remaining else min(1.0, (need - remaining) / (full - remaining))
            self.hold(reset * share)


def _number(text: str | None) -> float | None:
    try:
        return None if text is None else float(text)
    except ValueError:
        return None


def _duration(text: str) -> float | None:
    """Seconds of a duration as rate-limit headers write it: `6m0s`, `1.5s`, `20ms`, or a bare number."""
    found = re.findall(r"([\d.]+)(ms|h|m|s)", text)
    scale = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3}
    try:
        return sum(float(number) * scale[unit] for number, unit in found) if found else float(text)
    except ValueError:
        return None
