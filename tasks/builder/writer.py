"""Write a dataset folder: one parquet file per split, then figures, card, Croissant description and manifest.

Rows are streamed, so memory does not grow with their number; only a few numbers are kept of each.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ...benchmark.columns import Column, ColumnHasher
from ...benchmark.errors import DataError
from ...benchmark.storage import replacing, write_json, write_text
from ...benchmark.task import SPLITS
from ..datasets.arrow import row_schema, table_rows
from ..datasets.manifest import MANIFEST
from ..density.pictures import NOISE_LEVEL, RENDERING
from ..density.planes import PlaneSettings
from ..limits import LARGEST_GROUP
from .blueprint import Blueprint
from .croissant import write_croissant
from .dataset_card import dataset_card
from .figures import Gallery, draw_distributions
from .reduction import ACCURACY, CORE_RADIUS
from .summary import Summary

BUILDER_VERSION = "4"
# The subfolder of a dataset folder in which a build keeps its finished rows, and the whole dataset until it is moved.
WORK, _STAGED, _FINISHED = ".work", "staged", "finished"
# Rows of one group, and the bytes that complete one, too: half of what is read at once.
_ROW_GROUP, _GROUP_SIZE = 256, LARGEST_GROUP // 2
# Level 19 saves another seventieth and takes thirteen times as long.
_COMPRESSION = 9


def write_dataset(out: Path, blueprint: Blueprint, rows: Iterable[pa.Table], origin: Mapping[str, Any]) -> int:
    """Write rows as a folder that `datasets.load_dataset` reads, and put it in the place of what is there as a whole.

    Args:
        out: the folder.
        blueprint: how the rows were made.
        rows: single-row tables, sorted by id; `split_official` selects the file of each.
        origin: what the manifest states about the source: version, selection, failures.

    Returns:
        The number of rows.

    Raises:
        DataError: there are no rows.
    """
    summary, gallery = Summary(blueprint), Gallery(blueprint.density_channels if blueprint.is_cubic else ())
    staged = out / WORK / _STAGED
    shutil.rmtree(staged, ignore_errors=True)
    with open_splits(staged, blueprint.facts.columns) as writer:
        for table in rows:
            row = writer.add(table)
            summary.add(row)
            gallery.add(row)
        if summary.count == 0:
            raise DataError(
                f"No crystal became a row, so there is no dataset to write; {out}/failures.csv gives the reasons."
            )
    manifest = {
        "dataset": blueprint.facts.id,
        "builder_version": BUILDER_VERSION,
        "facts": asdict(blueprint.facts),
        "plane": asdict(PlaneSettings()),
        "accuracy": {channel: ACCURACY[channel] for channel in blueprint.density_channels},
        "core_radius": CORE_RADIUS,
        "rendering": {name: asdict(RENDERING[name]) for name in blueprint.facts.channels},
        "noise_level": NOISE_LEVEL,
        **origin,
        "targets": summary.targets(),
        "noise": summary.noise,
        "density": summary.densities(),
        "duplicates": summary.duplicates(),
        **writer.manifest_entries(),
    }
    gallery.draw(staged)
    draw_distributions(staged, blueprint, summary)
    write_text(staged / "README.md", dataset_card(blueprint, manifest, summary.sources))
    write_croissant(staged, blueprint.facts)
    write_json(staged / MANIFEST, manifest)
    for path in out.glob("gallery_*.png"):
        if not (staged / path.name).exists():
            path.unlink()
    staged.rename(out / WORK / _FINISHED)
    put_in_place(out)
    return summary.count


def put_in_place(out: Path) -> None:
    """Move the files that a build has finished into the dataset folder; nothing where there are none.

    An interrupted move is completed by the next call: the folder holds the old files and the new ones until then.
    """
    finished = out / WORK / _FINISHED
    if finished.is_dir():
        for path in finished.iterdir():
            path.replace(out / path.name)
        finished.rmdir()


@contextlib.contextmanager
def open_splits(out: Path, columns: Sequence[Column]) -> Iterator[SplitsWriter]:
    """Open one file per split in `out`; they are moved into place at the end of the block, unless it fails.

    Args:
        out: the dataset folder.
        columns: of the dataset.
    """
    schema = row_schema(columns).with_metadata(_features(columns).arrow_schema.metadata)
    with contextlib.ExitStack() as stack:
        paths = {split: stack.enter_context(replacing(out / f"{split}.parquet")) for split in SPLITS}
        writer = SplitsWriter(paths, schema, columns)
        yield writer
        writer.close()


class SplitsWriter:
    """Writes each row to the file of its `split_official`, with a few hundred rows in memory at a time.

    Rows come in ascending order of their ids.
    """

    def __init__(self, paths: Mapping[str, Path], schema: pa.Schema, columns: Sequence[Column]) -> None:
        self._files = {split: _SplitFile(path, schema) for split, path in paths.items()}
        self._columns = {column.name: column for column in columns}
        self._hashers = {name: ColumnHasher() for name in self._columns}

    def add_row(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """Write one row that has the form of `table_rows`; return it."""
        cells = {
            name: {"bytes": cell, "path": None} if isinstance(cell, bytes) else _plain(cell)
            for name, cell in row.items()
        }
        return self.add(pa.Table.from_pylist([cells], schema=row_schema(self._columns.values())))

    def add(self, table: pa.Table) -> dict[str, Any]:
        """Write one row, a table of the writer's schema; return it in the form of `table_rows`."""
        row = table_rows(table, self._columns)[0]
        for name, hasher in self._hashers.items():
            hasher.add(row["id"], row[name])
        self._files[row["split_official"]].add(table, row["id"])
        return row

    def close(self) -> None:
        """Write the rows that are still buffered."""
        for file in self._files.values():
            file.close()

    def manifest_entries(self) -> dict[str, Any]:
        """What the manifest states about the files: rows and ids by split, sha256 by column."""
        return {
            "rows": {split: len(file.ids) for split, file in self._files.items()},
            "column_sha256": {name: hasher.hexdigest() for name, hasher in self._hashers.items()},
            "ids": {split: file.ids for split, file in self._files.items()},
        }


class _SplitFile:
    """The parquet file of one split."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self.ids: list[str] = []
        self._schema = schema
        self._buffer: list[pa.Table] = []
        self._size = 0
        self._file = pq.ParquetWriter(
            path,
            schema,
            compression="zstd",
            compression_level=_COMPRESSION,
            use_dictionary=False,
            use_byte_stream_split=[_leaf(field.name, field.type) for field in schema if pa.types.is_list(field.type)],
        )

    def add(self, table: pa.Table, sample_id: str) -> None:
        self.ids.append(sample_id)
        self._buffer.append(table.replace_schema_metadata(self._schema.metadata))
        self._size += table.nbytes
        if len(self._buffer) == _ROW_GROUP or self._size >= _GROUP_SIZE:
            self._flush()

    def close(self) -> None:
        if self._buffer or not self.ids:
            self._flush()
        self._file.close()

    def _flush(self) -> None:
        rows = pa.concat_tables(self._buffer) if self._buffer else self._schema.empty_table()
        self._file.write_table(rows.combine_chunks(), row_group_size=_ROW_GROUP)
        self._buffer, self._size = [], 0


def _plain(cell: Any) -> Any:
    return cell.tolist() if isinstance(cell, np.ndarray) else cell


def _leaf(path: str, kind: pa.DataType) -> str:
    """The path of the numbers of an array column in a parquet file."""
    while pa.types.is_list(kind):
        path, kind = f"{path}.list.element", kind.value_type
    return path


def _features(columns: Sequence[Column]) -> Any:
    """The columns as `Features`; the `datasets` library reads them from the metadata of the file."""
    import datasets

    types = {"string": "string", "integer": "int64", "number": "float64", "boolean": "bool"}

    def feature(column: Column) -> Any:
        if column.kind == "image":
            return datasets.Image()
        if column.kind == "array":
            return getattr(datasets, f"Array{len(column.shape)}D")(shape=column.shape, dtype="float32")
        return datasets.Value(types[column.kind])

    return datasets.Features({column.name: feature(column) for column in columns})
