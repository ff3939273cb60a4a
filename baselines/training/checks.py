"""Checks of hyper-parameters, made where they are given and not hours later."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from ...benchmark.errors import ModelError, unknown_name


def require_whole(name: str, value: Any, least: int = 1) -> None:
    """Check for a whole number from `least` on.

    Raises:
        ModelError: it is something else.
    """
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise ModelError(f"{name}={value!r} makes no sense; give a whole number from {least} on.")


def require_rate(name: str, value: Any) -> None:
    """Check for a number above zero.

    Raises:
        ModelError: it is something else.
    """
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 < value < math.inf:
        raise ModelError(f"{name}={value!r} makes no sense; give a number above 0.")


def require_dropout(value: Any) -> None:
    """Check for a dropout rate.

    Raises:
        ModelError: it is something else.
    """
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value < 1:
        raise ModelError(f"dropout={value!r} makes no sense; give a rate from 0 to below 1.")


def require_choice(name: str, value: Any, choices: Iterable[str]) -> None:
    """Check for one of several words.

    Raises:
        ModelError: it is something else.
    """
    known = list(choices)
    if value not in known:
        raise ModelError(unknown_name(name, str(value), known, f"There are {', '.join(known)}."))
