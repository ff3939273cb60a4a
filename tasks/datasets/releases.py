"""Earlier releases of a packaged dataset: what entries that were made on them are scored against.

When rows are added, or a column is stored in another form, entries of before were made on other data. A release keeps
what verifies and scores them: the values that define tasks, and the hash of every cell, so that it is known what they
read. Its inputs are not kept; to evaluate on them, install the version of ecdbench that had them.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from ...benchmark.columns import Column, OpenDataset
from ...benchmark.errors import DataError
from . import DatasetFacts
from .table import describe_table

_FACTS, _DIGEST = b"ecdbench.facts", "sha256_"
# Columns that define tasks.
_KEPT_ROLES = ("id", "target", "split", "fold", "group")


@dataclass(frozen=True)
class Release:
    """An earlier release of a dataset, and its `DatasetDefinition`.

    Attributes:
        name: as in `ecd-fcc@1`.
        file: where it is kept.
    """

    name: str
    file: Path

    @cached_property
    def facts(self) -> DatasetFacts:
        """What was known of the dataset then."""
        from pydantic import TypeAdapter

        stated = json.loads(pq.read_schema(self.file).metadata[_FACTS])
        return TypeAdapter(DatasetFacts).validate_python(stated)

    def manifest(self, data_dir: Path) -> dict[str, Any]:
        """Made from what is kept."""
        return describe_table(self.facts, self.open(data_dir))

    def presence(self, data_dir: Path) -> str:
        """What defines its tasks is packaged."""
        return "packaged"

    def open(self, data_dir: Path) -> ReleasedDataset:
        """Its tasks, without inputs."""
        return ReleasedDataset(self)


class ReleasedDataset:
    """An `OpenDataset` that has the values that define tasks, and the hashes of all cells.

    Args:
        release: what is opened.
    """

    def __init__(self, release: Release) -> None:
        self._name = f"{release.facts.id}@{release.name}"
        self.columns: Mapping[str, Column] = {column.name: column for column in release.facts.columns}
        self._table = pq.read_table(release.file)
        self._ids = self._table.column("id").to_pylist()

    def read(self, names: Collection[str], ids: Collection[str] | None = None) -> dict[str, dict[str, Any]]:
        """Values by column and id, of columns that define tasks.

        Raises:
            DataError: another column is asked for.
        """
        if absent := set(names) - set(self._table.column_names):
            raise DataError(
                f"{self._name} is an earlier release, of which {min(absent)} is not kept; evaluate on the present one."
            )
        wanted = set(self._ids if ids is None else ids)
        columns = {name: zip(self._ids, self._table.column(name).to_pylist(), strict=True) for name in names}
        return {name: {one: cell for one, cell in cells if one in wanted} for name, cells in columns.items()}

    def rows(self, names: Collection[str]) -> dict[str, dict[str, Any]]:
        """Cells by id and column. Raises DataError, as `read` does."""
        values = self.read(names)
        return {one: {name: values[name][one] for name in names} for one in self._ids}

    def digests(self, name: str) -> Mapping[str, bytes]:
        """The `cell_digest` that each row of a column had. Raises DataError where there was no such column."""
        if name not in self.columns:
            raise DataError(f"{self._name} had no column {name}.")
        return dict(zip(self._ids, self._table.column(_DIGEST + name).to_pylist(), strict=True))


def releases_in(folder: Path) -> list[Release]:
    """The earlier releases that are kept in a dataset folder, the latest first."""
    files = sorted(folder.glob("release-*.parquet"), key=lambda path: -int(path.stem.removeprefix("release-")))
    return [Release(path.stem.removeprefix("release-"), path) for path in files]


def keep_release(dataset: OpenDataset, facts: DatasetFacts, name: str, folder: Path) -> None:
    """Keep an opened dataset as a release, before it is replaced.

    Args:
        dataset: as it is now.
        facts: of it.
        name: of the release: 1, 2, ...
        folder: the dataset folder.
    """
    kept = [column.name for column in facts.columns if column.role in _KEPT_ROLES]
    values = dataset.read(kept)
    ids = sorted(values["id"])
    table = {name: [values[name][one] for one in ids] for name in kept}
    digests = {
        _DIGEST + column.name: pa.array([dataset.digests(column.name)[one] for one in ids], pa.binary(32))
        for column in facts.columns
    }
    made = pa.table({**table, **digests}).replace_schema_metadata({_FACTS: json.dumps(asdict(facts)).encode()})
    pq.write_table(made, folder / f"release-{name}.parquet", compression="zstd")
