"""Blocks of numbers in the text files of electronic-structure codes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice

import numpy as np

# Fortran drops the E of an exponent of three digits, as in 0.123-100, and may write D.
_EXPONENT = re.compile(rb"(?<=[\d.])[dD]?([+-]\d+)")
_LINES_AT_ONCE = 20_000


def read_numbers(lines: Iterator[bytes], count: int) -> np.ndarray:
    """The next `count` numbers, which fill whole lines.

    Raises:
        EOFError: the file ends before the last one.
        ValueError: one is no number, or the last is not at the end of its line.
    """
    parts: list[np.ndarray] = []
    missing, longest = count, 1
    while missing > 0:
        # The first lines say how many numbers a line has at most; so many lines hold no more than what is missing.
        chunk = list(islice(lines, min(missing // longest, _LINES_AT_ONCE) or 1 if len(parts) > 1 else 1))
        if not chunk:
            raise EOFError
        values = _numbers(b" ".join(chunk))
        if len(values):
            parts.append(values)
            missing -= len(values)
            longest = max(longest, -(-len(values) // len(chunk)))
    if missing < 0:
        raise ValueError("more numbers than stated")
    return np.concatenate(parts)


def _numbers(text: bytes) -> np.ndarray:
    try:
        return np.array(text.split(), dtype=float)
    except ValueError:
        return np.array(_EXPONENT.sub(rb"E\1", text).split(), dtype=float)
