"""Columns of a dataset, each with an identity of its own: a hash of what it holds, whatever the file format."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np

ColumnKind = Literal["string", "integer", "number", "boolean", "image", "array"]
Role = Literal["id", "input", "target", "split", "fold", "group", "property"]


@dataclass(frozen=True)
class Column:
    """A column of a dataset.

    Attributes:
        name: as in the table.
        kind: `string`, `integer`, `number`, `boolean`, `image` (PNG bytes) or `array` (float32).
        role: what it is for. A run pins the columns that it reads; `property` columns are never read by one.
        shape: of one cell of an array, the first length None where it varies; height and width of all images of a
            column, or empty; empty for all other kinds.
        unit: unit of the values, empty where there is none.
        description: one line.
    """

    name: str
    kind: ColumnKind
    role: Role = "property"
    shape: tuple[int | None, ...] = ()
    unit: str = ""
    description: str = ""

    @property
    def meaning(self) -> str:
        """The description with its unit."""
        return f"{self.description}, {self.unit}" if self.unit else self.description


class OpenDataset(Protocol):
    """A dataset whose columns agree with their hashes."""

    @property
    def columns(self) -> Mapping[str, Column]:
        """The columns by name."""
        ...

    def read(self, names: Collection[str], ids: Collection[str] | None = None) -> dict[str, dict[str, Any]]:
        """Values by column and id, read afresh; of some rows where `ids` are given."""
        ...

    def rows(self, names: Collection[str]) -> Mapping[str, Mapping[str, Any]]:
        """Cells by id and column, read when they are asked for."""
        ...

    def digests(self, name: str) -> Mapping[str, bytes]:
        """The `cell_digest` of each row of a column, by id."""
        ...


def cell_digest(value: Any) -> bytes:
    """The sha256 of a cell: a string, bytes, a number, a truth value, an array or None. NaN counts as None."""
    return hashlib.sha256(cell_bytes(value)).digest()


def combined_sha256(digests: Mapping[str, bytes], ids: Iterable[str]) -> str:
    """The hash of some rows of a column, independent of their order.

    Args:
        digests: `cell_digest` by id.
        ids: the rows.
    """
    digest = hashlib.sha256()
    for sample_id in sorted(ids):
        digest.update(f"{sample_id}\0".encode() + digests[sample_id])
    return digest.hexdigest()


def column_sha256(cells: Mapping[str, Any]) -> str:
    """The hash of a whole column, from its cells by id."""
    return combined_sha256({sample_id: cell_digest(cell) for sample_id, cell in cells.items()}, cells)


class ColumnHasher:
    """The hash of a column whose cells come one by one, in ascending order of their ids."""

    def __init__(self) -> None:
        self._digest, self._last = hashlib.sha256(), ""

    def add(self, sample_id: str, cell: Any) -> None:
        """Add a cell.

        Raises:
            ValueError: its id does not come after the one before.
        """
        if sample_id <= self._last:
            raise ValueError(f"rows must come in ascending order of their ids ({sample_id} after {self._last})")
        self._digest.update(f"{sample_id}\0".encode() + cell_digest(cell))
        self._last = sample_id

    def hexdigest(self) -> str:
        """The hash of the cells so far, as `column_sha256` gives it."""
        return self._digest.hexdigest()


def cell_bytes(value: Any) -> bytes:
    """A cell as the bytes that are hashed: its type and value."""
    if isinstance(value, bytes):
        return b"bytes" + value
    if isinstance(value, np.ndarray):
        array = np.ascontiguousarray(value)
        return f"array{array.dtype.str}{array.shape}".encode() + array.tobytes()
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return b"none"
    return f"{type(value).__name__}{value!r}".encode()
