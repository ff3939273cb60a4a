"""How the columns of a dataset lie in its parquet files: their types, and their rows as Python values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from ...benchmark.columns import Column

_TYPES = {
    "string": pa.string(),
    "integer": pa.int64(),
    "number": pa.float64(),
    "boolean": pa.bool_(),
    "image": pa.struct({"bytes": pa.binary(), "path": pa.string()}),
}


def row_schema(columns: Iterable[Column]) -> pa.Schema:
    """The Arrow schema of a row, as ecdbench writes it."""
    return pa.schema([(column.name, arrow_type(column)) for column in columns])


def arrow_type(column: Column) -> pa.DataType:
    """The type of a column, as ecdbench writes it."""
    if column.kind != "array":
        return _TYPES[column.kind]
    kind = pa.float32()
    for _ in column.shape:
        kind = pa.list_(kind)
    return kind


def is_readable(column: Column, field: pa.Field) -> bool:
    """Whether a field is read as what its column is said to be; other tools write numbers in other widths.

    Extension types are not: what they are depends on the libraries that a process has imported.
    """
    kind = field.type
    for _ in column.shape if column.kind == "array" else ():
        if not pa.types.is_list(kind):
            return False
        kind = kind.value_type
    is_right = {
        "string": pa.types.is_string(kind),
        "integer": pa.types.is_integer(kind),
        "number": pa.types.is_floating(kind) or pa.types.is_integer(kind),
        "boolean": pa.types.is_boolean(kind),
        "image": pa.types.is_struct(kind) and pa.field("bytes", pa.binary()) in kind,
        "array": pa.types.is_floating(kind),
    }
    return is_right[column.kind] and not _is_extended(field)


def _is_extended(field: pa.Field) -> bool:
    inner = (field.type.field(number) for number in range(field.type.num_fields))
    return b"ARROW:extension:name" in (field.metadata or {}) or any(map(_is_extended, inner))


def table_rows(table: pa.Table, columns: Mapping[str, Column]) -> list[dict[str, Any]]:
    """Rows of a dataset table, images as PNG bytes and arrays as float32 of the shape that their column states.

    Raises:
        ValueError: an array has another shape.
    """
    cells = {}
    for name in table.column_names:
        column = table.column(name).combine_chunks()
        if pa.types.is_struct(column.type):
            cells[name] = column.field("bytes").to_pylist()
        elif pa.types.is_list(column.type):
            cells[name] = _arrays(column, columns[name].shape)
        else:
            cells[name] = column.to_pylist()
    return [dict(zip(cells, values, strict=True)) for values in zip(*cells.values(), strict=True)]


def _arrays(column: pa.Array, shape: tuple[int | None, ...]) -> list[np.ndarray]:
    """The cells of an array column, float32."""
    lengths = []  # of the lists of each level
    for size in shape:
        lengths.append(_numbers(column.value_lengths()))
        if column.null_count or (size is not None and (lengths[-1] != size).any()):
            raise ValueError("an array is empty, or has another shape than its column")
        column = column.flatten()
    flat = _numbers(column).astype(np.float32)
    inner = [size for size in shape[1:] if size is not None]
    return np.split(flat.reshape(-1, *inner), np.cumsum(lengths[0])[:-1])


def _numbers(column: pa.Array) -> np.ndarray:
    """As numpy, without copying, and without pandas, which `to_numpy` imports. Raises ValueError where one is empty."""
    if column.null_count:
        raise ValueError("an array lacks a number")
    return np.from_dlpack(column)
