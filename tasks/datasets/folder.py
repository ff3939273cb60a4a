"""Datasets on disk: a folder that `datasets.load_dataset` reads, with a manifest that fixes its columns."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from ...benchmark.columns import Column, cell_digest, combined_sha256
from ...benchmark.errors import DataError
from ...benchmark.task import SPLITS
from . import DatasetFacts
from .arrow import table_rows
from .inspection import BATCH, file_state, inspect_folder
from .manifest import read_facts, read_manifest

# Groups of some hundred rows that stay in memory: one for each split, whose rows are mostly asked for in order.
_KEPT_GROUPS = 3


class DatasetFolder:
    """An `OpenDataset` over a folder, which is inspected before the first row is read. A column is compared with its
    hash when it is first read.

    Args:
        folder: the dataset folder.
        remedy: what to do where a file is damaged.

    Raises:
        DataError: the folder has no manifest, or one that is none.
    """

    def __init__(self, folder: Path, remedy: str) -> None:
        self.folder = folder
        self._remedy = remedy
        self.manifest = read_manifest(folder)
        self.facts = read_facts(self.manifest, folder)
        self.columns: Mapping[str, Column] = {column.name: column for column in self.facts.columns}
        self._digests: dict[str, dict[str, bytes]] = {}
        self._opened_rows: dict[tuple[str, ...], Mapping[str, Mapping[str, Any]]] = {}

    def read(self, names: Collection[str], ids: Collection[str] | None = None) -> dict[str, dict[str, Any]]:
        """Values by column and id, read afresh; of some rows where `ids` are given.

        Raises:
            DataError: a file cannot be read, or a column is absent or was changed.
        """
        new = [name for name in names if name not in self._digests]
        if ids is not None and new:
            self.verify(new)
            new = []
        wanted = None if ids is None else set(ids)
        splits = [s for s in SPLITS if wanted is None or not wanted.isdisjoint(self.manifest["ids"][s])]
        values: dict[str, dict[str, Any]] = {name: {} for name in names}

        def keep(row: Mapping[str, Any]) -> None:
            if wanted is None or row["id"] in wanted:
                for name in names:
                    values[name][row["id"]] = row[name]

        self._scan(names, splits, new, keep)
        return values

    def verify(self, names: Collection[str] | None = None) -> None:
        """Compare columns with their hashes; all of them by default. Nothing is kept in memory but digests.

        Raises:
            DataError: a file cannot be read, or a column is absent or was changed.
        """
        names = [name for name in (self.columns if names is None else names) if name not in self._digests]
        if names:
            self._scan(names, SPLITS, names, lambda row: None)

    def rows(self, names: Collection[str]) -> Mapping[str, Mapping[str, Any]]:
        """Cells by id and column, read when they are asked for; a few hundred are in memory at a time."""
        key = tuple(names)
        if key not in self._opened_rows:
            self.verify(names)
            self._opened_rows[key] = _LazyRows(self._positions(), lambda group: self._read_group(group, key))
        return self._opened_rows[key]

    def digests(self, name: str) -> Mapping[str, bytes]:
        """The `cell_digest` of each row of a column, by id."""
        self.verify([name])
        return self._digests[name]

    def stream(self, split: str, names: Collection[str] | None = None) -> Iterator[dict[str, Any]]:
        """The rows of a split one by one, a few hundred in memory at a time; hashes are not compared.

        Raises:
            DataError: the file cannot be read, or lacks a column.
        """
        with self._opened(split) as file:
            if absent := set(names or self.columns) - set(file.schema_arrow.names):
                raise DataError(f"{self._file(split)} has no column {min(absent)}. {self._remedy}")
            known = [name for name in self.columns if names is None or name in names]
            for batch in file.iter_batches(BATCH, columns=known):
                yield from table_rows(pa.Table.from_batches([batch]), self.columns)

    def _scan(
        self,
        names: Collection[str],
        splits: Collection[str],
        new: Collection[str],
        keep: Callable[[Mapping[str, Any]], None],
    ) -> None:
        """Read columns once: hand each row to `keep`, and compare the columns `new` with their hashes."""
        columns = list(dict.fromkeys(["id", *names]))
        digests: dict[str, dict[str, bytes]] = {name: {} for name in new}
        for split in splits:
            ids = []
            for row in self.stream(split, columns):
                ids.append(row["id"])
                for name in new:
                    digests[name][row["id"]] = cell_digest(row[name])
                keep(row)
            if ids != self.manifest["ids"][split]:
                raise DataError(
                    f"{self._file(split)} was changed: its ids are not those of the manifest. {self._remedy}"
                )
        for name, found in digests.items():
            if combined_sha256(found, found) != self.manifest["column_sha256"].get(name):
                raise DataError(
                    f"{self.folder} was changed: the column {name} does not match the manifest. {self._remedy}"
                )
        self._digests |= digests

    def _read_group(self, group: tuple[str, int], names: Collection[str]) -> list[dict[str, Any]]:
        split, number = group
        with self._opened(split) as file:
            return table_rows(file.read_row_group(number, columns=list(names)), self.columns)

    def _positions(self) -> dict[str, tuple[tuple[str, int], int]]:
        """The row group of each id, and its position there."""
        found = {}
        for split in SPLITS:
            with self._opened(split) as file:
                sizes = [file.metadata.row_group(number).num_rows for number in range(file.num_row_groups)]
            places = ((number, position) for number, size in enumerate(sizes) for position in range(size))
            for sample_id, (number, position) in zip(self.manifest["ids"][split], places, strict=True):
                found[sample_id] = ((split, number), position)
        return found

    @cached_property
    def _states(self) -> dict[str, tuple[int, int]]:
        """The state of each file as it was inspected."""
        states = {split: self._state(split) for split in SPLITS}  # opening an absent file says what is wrong
        inspect_folder(self.folder, self.facts.columns, self._remedy)
        return states

    def _state(self, split: str) -> tuple[int, int]:
        """Size and time of a file, which change when it is replaced."""
        size, changed, *_ = file_state(self._file(split))
        return size, changed

    @contextmanager
    def _opened(self, split: str) -> Iterator[pq.ParquetFile]:
        if self._states[split] != self._state(split):
            raise DataError(f"{self._file(split)} was changed while it was in use. Give the same command again.")
        try:
            with pq.ParquetFile(self._file(split)) as file:
                yield file
        except (OSError, ValueError, KeyError, pa.ArrowException) as error:
            raise DataError(f"{self._file(split)} cannot be read ({type(error).__name__}). {self._remedy}") from error

    def _file(self, split: str) -> Path:
        return self.folder / f"{split}.parquet"


class _LazyRows(Mapping[str, Mapping[str, Any]]):
    """Rows by id; only a few groups of them are in memory.

    Args:
        positions: the group of each row and its position there, by id.
        read_group: reads a group of rows.
    """

    def __init__(
        self,
        positions: Mapping[str, tuple[tuple[str, int], int]],
        read_group: Callable[[tuple[str, int]], list[dict[str, Any]]],
    ) -> None:
        self._positions = positions
        self._read_group = lru_cache(maxsize=_KEPT_GROUPS)(read_group)

    def __getitem__(self, sample_id: str) -> Mapping[str, Any]:
        group, position = self._positions[sample_id]
        return self._read_group(group)[position]

    def __iter__(self) -> Iterator[str]:
        return iter(self._positions)

    def __len__(self) -> int:
        return len(self._positions)


@dataclass(frozen=True)
class FolderDefinition:
    """A dataset that is known from its folder alone.

    Attributes:
        folder: the dataset folder.
        remedy: what to do where a file is damaged.
        state: what tables say of its presence.
    """

    folder: Path
    remedy: str
    state: str = "present"

    @cached_property
    def _manifest(self) -> dict[str, Any]:
        return read_manifest(self.folder)

    @cached_property
    def facts(self) -> DatasetFacts:
        """What its manifest states."""
        return read_facts(self._manifest, self.folder)

    def manifest(self, data_dir: Path) -> dict[str, Any]:
        """The folder's manifest."""
        return self._manifest

    def presence(self, data_dir: Path) -> str:
        """The data are here."""
        return self.state

    def open(self, data_dir: Path) -> DatasetFolder:
        """Open the folder. Raises DataError where its manifest cannot be read."""
        return DatasetFolder(self.folder, self.remedy)
