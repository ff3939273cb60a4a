"""Datasets on disk: a folder that `datasets.load_dataset` reads, with a manifest that fixes its content."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ..benchmark.errors import DataError
from ..benchmark.task import SPLITS
from .content import content_sha256
from .definition import DatasetFacts
from .rows import LazyRows

MANIFEST = "manifest.json"
# Rows read at once: what a check or a listing holds in memory, whatever the size of the dataset.
_BATCH = 256
# Columns that say which row it is, where a dataset has them.
IDENTITY = ("id", "formula", "chemical_system", "group", "spacegroup", "n_sites", "lattice_parameter")


def read_manifest(folder: Path) -> dict[str, Any]:
    """Read `manifest.json`: facts, ids and content hash per split.

    Raises:
        DataError: it is absent, or no manifest.
    """
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        hashes = manifest["content_sha256"]
        ids = manifest.get("ids", {split: [] for split in SPLITS})
        if not all(isinstance(hashes[split], str) and isinstance(ids[split], list) for split in SPLITS):
            raise TypeError
        if not all(isinstance(one, str) for split in SPLITS for one in ids[split]):
            raise TypeError
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{folder} has no readable {MANIFEST}; rebuild or download the dataset again.") from error
    return manifest


def read_facts(manifest: Mapping[str, Any], folder: Path) -> DatasetFacts:
    """The facts that a manifest states of its dataset.

    Raises:
        DataError: they are absent or incomplete.
    """
    from pydantic import TypeAdapter, ValidationError

    try:
        facts = TypeAdapter(DatasetFacts).validate_python(manifest.get("facts"))
        if not (facts.targets and facts.channels and facts.schemes) or manifest.get("dataset") != facts.id:
            raise DataError(f"{folder / MANIFEST} names no target, channel, split or dataset; build it again.")
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, ("facts", *first["loc"])))
        raise DataError(
            f"{folder / MANIFEST} does not say what the dataset is ({where}: {first['msg']}); build it again."
        ) from error
    return facts


def table_rows(table: pa.Table) -> list[dict[str, Any]]:
    """Rows of a dataset table, images as PNG bytes and densities as float32 arrays of shape (n, n)."""
    columns = {}
    for name in table.column_names:
        column = table.column(name).combine_chunks()
        if pa.types.is_struct(column.type):
            columns[name] = column.field("bytes").to_pylist()
        elif pa.types.is_list(column.type):
            flat = column.flatten().flatten().to_numpy(zero_copy_only=False).astype(np.float32)
            columns[name] = list(flat.reshape(len(column), len(column[0]), -1)) if len(column) else []
        else:
            columns[name] = column.to_pylist()
    return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]


class DatasetFolder:
    """A dataset folder whose content agrees with its manifest.

    Raises:
        DataError: a file is missing, unreadable, or differs from the manifest.
    """

    def __init__(self, folder: Path, remedy: str) -> None:
        self.folder = folder
        self._remedy = remedy
        self.manifest = read_manifest(folder)
        self._checked: dict[str, tuple[int, int]] = {}
        for split in SPLITS:
            state = self._state(split)
            if content_sha256(self.read(split)) != self.manifest["content_sha256"][split]:
                raise DataError(f"{self._file(split)} was changed: its content does not match the manifest. {remedy}")
            self._checked[split] = state

    def read(self, split: str, columns: list[str] | None = None) -> Iterator[dict[str, Any]]:
        """The rows of a split one by one, a few hundred in memory at a time.

        Raises:
            DataError: the file cannot be read, or lacks a column.
        """
        with self._opened(split) as file:
            if absent := set(columns or ()) - set(file.schema_arrow.names):
                raise DataError(f"{self._file(split)} has no column {min(absent)}. {self._remedy}")
            for batch in file.iter_batches(_BATCH, columns=columns):
                yield from table_rows(pa.Table.from_batches([batch]))

    def rows(self, channel: str, text: str) -> Mapping[str, Mapping[str, Any]]:
        """Inputs by id, as `OpenDataset.rows` says, read when they are asked for."""
        names = {f"image_{channel}": "image", f"density_{channel}": "density", "formula": "formula"}
        if text != "none":
            names[f"text_{text}"] = "text"
        columns = {name: names[name] for name in self._columns if name in names}
        if absent := {f"image_{channel}", *(f"text_{text}" for _ in range(text != "none"))} - set(columns):
            raise DataError(f"{self.folder} has no column {min(absent)}. {self._remedy}")

        def read_group(place: tuple[str, int]) -> list[dict[str, Any]]:
            split, group = place
            with self._opened(split) as file:
                rows = table_rows(file.read_row_group(group, columns=list(columns)))
            return [{columns[name]: value for name, value in row.items()} for row in rows]

        return LazyRows(dict(self._places()), read_group)

    def targets(self, target: str) -> dict[str, float]:
        """Values by id, of the rows that have one."""
        return {row["id"]: row[target] for row in self._rows(["id", target]) if row[target] is not None}

    def split_of(self, scheme: str) -> Mapping[str, str]:
        """Split by id."""
        return self._column(f"split_{scheme}")

    def fold_of(self, scheme: str) -> Mapping[str, int]:
        """Fold by id."""
        return self._column(f"fold_{scheme}")

    def groups(self) -> Mapping[str, str]:
        """Group by id: the chemical system, where there is no column `group`."""
        return self._column("group" if "group" in self._columns else "chemical_system")

    def table(self) -> list[dict[str, Any]]:
        """One mapping per row: what identifies it, without inputs and targets."""
        return list(self._rows([name for name in IDENTITY if name in self._columns]))

    @cached_property
    def _columns(self) -> list[str]:
        return pq.read_schema(self._file(SPLITS[0])).names

    def _state(self, split: str) -> tuple[int, int]:
        """What a file that is replaced changes."""
        try:
            facts = self._file(split).stat()
        except OSError:
            return (0, 0)  # opening it says what is wrong
        return facts.st_size, facts.st_mtime_ns

    @contextmanager
    def _opened(self, split: str) -> Iterator[pq.ParquetFile]:
        if self._checked.get(split, state := self._state(split)) != state:
            raise DataError(f"{self._file(split)} was changed while it was in use. Give the same command again.")
        try:
            with pq.ParquetFile(self._file(split)) as file:
                yield file
        except (OSError, pa.ArrowException) as error:
            raise DataError(f"{self._file(split)} cannot be read ({type(error).__name__}). {self._remedy}") from error

    def _places(self) -> Iterator[tuple[str, tuple[tuple[str, int], int]]]:
        """Each id with its file, row group and position there."""
        for split in SPLITS:
            with self._opened(split) as file:
                for group in range(file.num_row_groups):
                    ids = file.read_row_group(group, columns=["id"]).column("id").to_pylist()
                    yield from ((material, ((split, group), position)) for position, material in enumerate(ids))

    def _column(self, name: str) -> dict[str, Any]:
        return {row["id"]: row[name] for row in self._rows(["id", name])}

    def _rows(self, columns: list[str]) -> Iterator[dict[str, Any]]:
        return (row for split in SPLITS for row in self.read(split, columns))

    def _file(self, split: str) -> Path:
        return self.folder / f"{split}.parquet"


class FolderDataset:
    """A dataset that is known from its folder alone; it has the interface of a dataset module.

    Raises:
        DataError: the folder has no manifest that says what the dataset is.
    """

    def __init__(self, folder: Path, remedy: str) -> None:
        self.folder = folder
        self._remedy = remedy
        self._manifest = read_manifest(folder)
        self.FACTS = read_facts(self._manifest, folder)

    def manifest(self, data_dir: Path) -> dict[str, Any]:
        """The folder's manifest."""
        return self._manifest

    def presence(self, data_dir: Path) -> str:
        """The data are here."""
        return "present"

    def open_dataset(self, data_dir: Path) -> DatasetFolder:
        """Open the folder and check its content. Raises DataError if it was changed."""
        return DatasetFolder(self.folder, self._remedy)
