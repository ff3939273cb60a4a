"""A dataset as a table in memory: for small sources of any form, and for datasets of other packages."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from ...benchmark.columns import Column, OpenDataset, cell_digest, combined_sha256
from ...benchmark.errors import DataError, EcdbenchError, extension_error
from ...benchmark.task import SPLITS
from . import DatasetFacts, describe_target

# From the name of a column to its cells by id.
Cells = Callable[[str], Mapping[str, Any]]


class TableDataset:
    """An `OpenDataset` over cells that a function gives, column by column.

    Args:
        columns: the columns.
        cells: gives the cells of a column by id, afresh at each call.
        expected: sha256 by column, where columns are pinned.
    """

    def __init__(self, columns: Collection[Column], cells: Cells, expected: Mapping[str, str] | None = None) -> None:
        self.columns: Mapping[str, Column] = {column.name: column for column in columns}
        self._cells, self._expected = cells, expected or {}
        self._digests: dict[str, Mapping[str, bytes]] = {}

    def read(self, names: Collection[str], ids: Collection[str] | None = None) -> dict[str, dict[str, Any]]:
        """Values by column and id."""
        wanted = None if ids is None else set(ids)
        for name in names:
            self.digests(name)
        return {
            name: {m: cell for m, cell in self._read(name).items() if wanted is None or m in wanted} for name in names
        }

    def rows(self, names: Collection[str]) -> dict[str, dict[str, Any]]:
        """Cells by id and column."""
        columns = self.read(names)
        ids = next(iter(columns.values()), {})
        return {sample_id: {name: cells[sample_id] for name, cells in columns.items()} for sample_id in ids}

    def digests(self, name: str) -> Mapping[str, bytes]:
        """The `cell_digest` of each row of a column.

        Raises:
            DataError: there is no such column, or it differs from the pinned one.
        """
        if name not in self._digests:
            if name not in self.columns:
                raise DataError(f"The dataset has no column {name}; it has {', '.join(self.columns)}.")
            found = {sample_id: cell_digest(cell) for sample_id, cell in self._read(name).items()}
            if self._expected.get(name, digest := combined_sha256(found, found)) != digest:
                raise DataError(f"The column {name} differs from the pinned one; restore the original files.")
            self._digests[name] = found
        return self._digests[name]

    def _read(self, name: str) -> Mapping[str, Any]:
        try:
            return self._cells(name)
        except EcdbenchError:
            raise
        except Exception as error:
            raise extension_error(f"Reading the column {name}", error) from error


def describe_table(facts: DatasetFacts, dataset: OpenDataset) -> dict[str, Any]:
    """What a manifest states of a dataset: its id, rows by split, statistics of the targets, sha256 by column.

    Args:
        facts: of the dataset.
        dataset: the same, opened; of its values only those of targets and the official split are read.
    """
    names = [facts.named("split")[0], *(target.name for target in facts.targets)]
    values = dataset.read(names)
    official = values[names[0]]
    splits = list(official.values())
    return {
        "dataset": facts.id,
        "rows": {split: splits.count(split) for split in SPLITS},
        "targets": {
            name: describe_target(np.array([values[name][one] for one in official], dtype=float), splits)
            for name in names[1:]
        },
        "column_sha256": {
            column.name: combined_sha256(digests := dataset.digests(column.name), digests) for column in facts.columns
        },
    }


@dataclass(frozen=True)
class TableDefinition:
    """A dataset known by name whose table a package brings along.

    Attributes:
        facts: the dataset.
        cells: gives the cells of a column by id.
    """

    facts: DatasetFacts
    cells: Cells

    @cached_property
    def _manifest(self) -> dict[str, Any]:
        return describe_table(self.facts, self.open(Path()))

    def manifest(self, data_dir: Path) -> dict[str, Any]:
        """Made from the table."""
        return self._manifest

    def presence(self, data_dir: Path) -> str:
        """It comes with its package."""
        return "packaged"

    def open(self, data_dir: Path) -> TableDataset:
        """The table."""
        return TableDataset(self.facts.columns, self.cells)
