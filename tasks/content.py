"""What a dataset says, as a hash: the same for a packaged copy, a local folder and a published one."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np


class ContentHash:
    """The sha256 of rows, independent of row order, column order and file format; rows are added one by one."""

    def __init__(self) -> None:
        self._digests: list[tuple[str, str]] = []

    def add(self, row: Mapping[str, Any]) -> None:
        """Add a row: a mapping with an `id`; values are strings, bytes, numbers, arrays or None."""
        self._digests.append((str(row["id"]), _row_digest(row)))

    def hexdigest(self) -> str:
        """The hash of the rows so far."""
        return hashlib.sha256(repr(sorted(self._digests)).encode()).hexdigest()


def content_sha256(rows: Iterable[Mapping[str, Any]]) -> str:
    """The `ContentHash` of rows."""
    content = ContentHash()
    for row in rows:
        content.add(row)
    return content.hexdigest()


def _row_digest(row: Mapping[str, Any]) -> str:
    digest = hashlib.sha256()
    for name in sorted(row):
        digest.update(f"\0{name}\0".encode())
        digest.update(_value_bytes(row[name]))
    return digest.hexdigest()


def _value_bytes(value: Any) -> bytes:
    if isinstance(value, bytes):
        return b"bytes" + value
    if isinstance(value, np.ndarray):
        array = np.ascontiguousarray(value)
        return f"array{array.dtype.str}{array.shape}".encode() + array.tobytes()
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return b"none"
    return f"{type(value).__name__}{value!r}".encode()
