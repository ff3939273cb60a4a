"""Texts of strangers, made fit to be printed."""

from __future__ import annotations

import unicodedata

_INVISIBLE = {"Cc", "Cf", "Cs", "Zl", "Zp"}


def printable(text: str) -> str:
    """A text on one line, without characters that steer a terminal, turn a line round, or cannot be written."""
    return " ".join(
        "".join("?" if unicodedata.category(c) in _INVISIBLE and c not in "\n\t" else c for c in text).split()
    )
