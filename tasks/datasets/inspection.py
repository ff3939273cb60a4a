"""A dataset of strangers is read from end to end in a process of its own before this one opens it.

There, little memory and time are allowed, every picture is decoded, and every row is checked. This process then reads
what passed in the same steps, so it takes no more here. That it passed is remembered until a file changes.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from ...benchmark.columns import Column, cell_bytes
from ...benchmark.errors import DataError
from ...benchmark.limited_process import MOST_MEMORY, LimitedProcess
from ...benchmark.task import SPLITS
from ...benchmark.untrusted import printable
from ...benchmark.user_folders import default_cache
from ..composition import parse_formula
from ..density.pictures import open_picture
from ..limits import (
    BYTES_PER_SECOND,
    LARGEST_ARRAY,
    LARGEST_GROUP,
    LARGEST_TARGET,
    LARGEST_UNPACKED,
    LEAST_SECONDS,
    LONGEST_ID,
    LONGEST_INPUT,
    LONGEST_WORD,
    MOST_EXPANSION,
    MOST_ROWS,
)
from .arrow import is_readable, table_rows
from .manifest import MANIFEST, checked_file

# Rows that are in memory at once, whatever the size of the dataset.
BATCH = 256
# Data that come with the package are as trustworthy as its code.
_PACKAGED = Path(__file__).resolve().parents[1] / "data"
_REMEDY = "correct the dataset, or choose another"
# What this process found: why files are refused, empty where they passed.
_found: dict[str, str] = {}


def inspect_folder(folder: Path, columns: Sequence[Column], remedy: str) -> None:
    """Refuse a dataset folder that is not what an honest one is; at once where the same files were inspected before.

    Args:
        folder: the dataset folder.
        columns: as its manifest describes them.
        remedy: what to do where a file is damaged.

    Raises:
        DataError: it is not; the message names the file, and the row where it is one.
    """
    if folder.resolve().is_relative_to(_PACKAGED):
        return
    files = [checked_file(folder, name) for name in (*(f"{split}.parquet" for split in SPLITS), MANIFEST)]
    states = [file_state(file) for file in files]
    key = hashlib.sha256(json.dumps([version("ecdbench"), str(folder.resolve()), states]).encode()).hexdigest()
    record = default_cache() / "inspected" / key
    if key not in _found and not record.exists():
        _found[key] = _inspected(folder, files[: len(SPLITS)], columns, sum(size for size, *_ in states), remedy)
    if refusal := _found.get(key):
        raise DataError(refusal)
    with contextlib.suppress(OSError):  # a cache that cannot be written costs time only
        record.parent.mkdir(parents=True, exist_ok=True)
        record.touch()


def _inspected(folder: Path, files: Sequence[Path], columns: Sequence[Column], size: int, remedy: str) -> str:
    """Read a dataset in another process, and say why it is refused; nothing where it is not."""
    seconds = LEAST_SECONDS + size / BYTES_PER_SECOND
    try:
        with LimitedProcess() as isolated:
            isolated(read_through, files, columns, size, remedy, seconds=seconds)
    except DataError as error:
        return str(error)
    except TimeoutError:
        return f"{folder} takes more than {seconds:,.0f} seconds to read, too long; {_REMEDY}."
    except MemoryError:
        return f"{folder} takes more than {MOST_MEMORY:,} bytes of memory to read; {_REMEDY}."
    except ChildProcessError:
        return f"{folder} makes the library crash that reads it; {_REMEDY}."
    return ""


def file_state(path: Path) -> tuple[int, ...]:
    """Size and time of the last change of a file, and what else changes with it; zeros where it is absent."""
    try:
        state = path.stat()
    except OSError:
        return (0, 0, 0, 0, 0)
    return state.st_size, state.st_mtime_ns, state.st_ctime_ns, state.st_ino, state.st_dev


def read_through(files: Sequence[Path], columns: Sequence[Column], size: int, remedy: str) -> None:
    """Read every row of a dataset, and check it.

    Args:
        files: one for each split.
        columns: of the dataset.
        size: of all files, in bytes.
        remedy: what to do where a file is damaged.

    Raises:
        DataError: a file is damaged or out of bounds, or a row is not what it should be.
    """
    reading = _Reading(columns, size)
    for split, path in zip(SPLITS, files, strict=True):
        try:
            with pq.ParquetFile(path) as file:
                reading.read(file, path, split)
        except MemoryError:
            raise
        except DataError as error:
            raise DataError(f"{str(error).rstrip('.')}; {_REMEDY}.") from error
        except (OSError, ValueError, KeyError, pa.ArrowException) as error:
            raise DataError(f"{path} cannot be read ({type(error).__name__}). {remedy}") from error


class _Reading:
    """One pass over all rows.

    Args:
        columns: of the dataset.
        size: of its files, in bytes.
    """

    def __init__(self, columns: Sequence[Column], size: int) -> None:
        self._columns = {column.name: column for column in columns}
        self._splits = [column.name for column in columns if column.role == "split"]
        self._never_empty = [c.name for c in columns if c.role in ("id", "input") or c.kind == "array"]
        self._most_unpacked = max(LARGEST_UNPACKED, MOST_EXPANSION * size)
        self._rows = self._unpacked = 0
        self._seen: dict[bytes, tuple[str, list[str]]] = {}

    def read(self, file: pq.ParquetFile, path: Path, split: str) -> None:
        """Read the file of a split. Raises DataError where it is not what it should be."""
        self._check_schema(file.schema_arrow, path)
        for number in range(file.num_row_groups):
            rows, unpacked = 0, 0
            for batch in file.iter_batches(BATCH, row_groups=[number], columns=list(self._columns), use_threads=False):
                rows, unpacked = rows + batch.num_rows, unpacked + batch.nbytes
                if unpacked > LARGEST_GROUP:
                    raise DataError(f"{path} has a row group of more than {LARGEST_GROUP:,} bytes, as many as are read")
                self._count(batch, path)
                self._check_batch(batch, path, split)
            if rows != file.metadata.row_group(number).num_rows:
                raise ValueError("a row group has another number of rows than the file states")

    def _check_schema(self, schema: pa.Schema, path: Path) -> None:
        for name, column in self._columns.items():
            if name not in schema.names:
                raise DataError(f"{path} has no column {name}")
            if not is_readable(column, field := schema.field(name)):
                stated = f"{column.kind} of shape {column.shape}" if column.shape else column.kind
                raise DataError(f"{path} has {printable(str(field.type))[:60]} in {name}, which is not {stated}")

    def _count(self, batch: pa.RecordBatch, path: Path) -> None:
        self._rows, self._unpacked = self._rows + batch.num_rows, self._unpacked + batch.nbytes
        if self._rows > MOST_ROWS:
            raise DataError(f"{path} has row {MOST_ROWS + 1:,} of the dataset; at most {MOST_ROWS:,} are read")
        if self._unpacked > self._most_unpacked:
            raise DataError(f"{path} unpacks with the others to more than {self._most_unpacked:,} bytes, too many")

    def _check_batch(self, batch: pa.RecordBatch, path: Path, split: str) -> None:
        batch.validate(full=True)  # lengths of texts, and that they are UTF-8
        for name in self._never_empty:
            if batch.column(name).null_count:
                raise DataError(f"{path} has {'a row without an id' if name == 'id' else f'empty cells in {name}'}")
        for row in table_rows(pa.Table.from_batches([batch]), self._columns):
            try:
                self._check_row(row, split)
            except DataError as error:
                raise DataError(f"{path}, row {printable(row['id'])[:LONGEST_ID]}: {error}") from error

    def _check_row(self, row: Mapping[str, Any], split: str) -> None:
        for name, column in self._columns.items():
            _check_cell(column, row[name])
        own = [row[name] for name in self._splits]
        if own[0] != split:
            raise DataError(f"it is in {split}.parquet, but its {self._splits[0]} is {printable(str(own[0]))[:40]}")
        twin, of_twin = self._seen.setdefault(self._digest(row), (row["id"], own))
        if of_twin != own:
            raise DataError(f"it has the inputs and targets of {twin}, which is in another split")

    def _digest(self, row: Mapping[str, Any]) -> bytes:
        digest = hashlib.blake2b(digest_size=16)
        for name, column in self._columns.items():
            if column.role in ("input", "target"):
                digest.update(cell_bytes(row[name]) + b"\0")
        return digest.digest()


def _check_cell(column: Column, cell: Any) -> None:
    """Refuse what a cell of a column cannot be. Raises DataError."""
    name = column.name
    if cell is None:
        if column.kind == "image":
            raise DataError(f"its {name} is empty")
    elif column.kind == "string":
        if len(cell) > (most := LONGEST_INPUT if column.role == "input" else LONGEST_WORD):
            raise DataError(f"its {name} has {len(cell):,} characters, more than {most:,}")
        if name == "formula":
            parse_formula(cell)
    elif column.kind == "array":
        if cell.size > LARGEST_ARRAY:
            raise DataError(f"its {name} has {cell.size:,} numbers, more than {LARGEST_ARRAY:,}")
    elif column.kind == "image":
        _check_picture(column, cell)
    elif column.role == "target" and not abs(cell) < LARGEST_TARGET:
        raise DataError(f"its target {name} is {cell}, not a number; leave empty what is not known")


def _check_picture(column: Column, cell: bytes) -> None:
    """Decode a picture. Raises DataError where that fails."""
    picture = open_picture(cell, column.shape)
    try:
        picture.load()
    except MemoryError:
        raise
    except Exception as error:
        raise DataError(f"its {column.name} cannot be decoded ({type(error).__name__})") from error
