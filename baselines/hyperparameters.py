"""Checks of hyper-parameters, made when a model is constructed rather than hours later."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from ..benchmark.errors import ModelError, unknown_name


def require_integer(name: str, value: Any, minimum: int = 1) -> None:
    """Require an integer of at least `minimum`, which is 0 or 1.

    Raises:
        ModelError: the value is anything else.
    """
    if not isinstance(value, int) or isinstance(value, bool) or value < minimum:
        kind = "positive" if minimum == 1 else "non-negative"
        raise ModelError(f"{name} must be a {kind} integer (got {value!r}).")


def require_positive(name: str, value: Any) -> None:
    """Require a finite number above 0.

    Raises:
        ModelError: the value is anything else.
    """
    if not _is_number(value) or not 0 < value < math.inf:
        raise ModelError(f"{name} must be a positive number (got {value!r}).")


def require_dropout(value: Any) -> None:
    """Require a dropout rate.

    Raises:
        ModelError: the value is anything else.
    """
    if not _is_number(value) or not 0 <= value < 1:
        raise ModelError(f"dropout must be at least 0 and below 1 (got {value!r}).")


def require_choice(name: str, value: Any, choices: Iterable[str]) -> None:
    """Require one of several words.

    Raises:
        ModelError: the value is anything else.
    """
    known = list(choices)
    if value not in known:
        raise ModelError(unknown_name(name, str(value), known, f"Choose one of {', '.join(known)}."))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
