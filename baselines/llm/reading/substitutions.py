"""Tables of patterns and of what stands in their place."""

from __future__ import annotations

import re
from collections.abc import Iterable


class Substitutions:
    """Replaces patterns in a text, each in turn.

    Args:
        pairs: patterns and replacements, as `re.sub` takes them; case is ignored, and `^` and `$` are those of lines.
    """

    def __init__(self, pairs: Iterable[tuple[str, str]]) -> None:
        flags = re.IGNORECASE | re.MULTILINE
        self._pairs = [(re.compile(pattern, flags), plain) for pattern, plain in pairs]

    def apply(self, text: str) -> str:
        """The text with all of them replaced."""
        for pattern, plain in self._pairs:
            text = pattern.sub(plain, text)
        return text
