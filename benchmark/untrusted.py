"""Texts of strangers: JSON that is not nested deeply, and what is safe to print."""

from __future__ import annotations

import json
import unicodedata
from typing import Any

DEEPEST = 12
_INVISIBLE = {"Cc", "Cf", "Cs", "Zl", "Zp"}


def printable(text: str) -> str:
    """A text on one line, without characters that control a terminal, reverse a line, or cannot be encoded."""
    return " ".join("".join("?" if is_invisible(c) and c not in "\n\t" else c for c in text).split())


def is_invisible(character: str) -> bool:
    """Whether a character controls a terminal, reverses or ends a line, or cannot be encoded."""
    return unicodedata.category(character) in _INVISIBLE


def parse_json(text: str) -> Any:
    """The values that a JSON text holds.

    Raises:
        ValueError: it is not JSON, or nested more than `DEEPEST` levels.
    """
    try:
        found = json.loads(text)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    if _is_deeper(found, DEEPEST):
        raise ValueError("it is nested too deeply")
    return found


def _is_deeper(value: Any, levels: int) -> bool:
    if not isinstance(value, (dict, list)):
        return False
    if levels == 0:
        return True
    return any(_is_deeper(inner, levels - 1) for inner in (value.values() if isinstance(value, dict) else value))
