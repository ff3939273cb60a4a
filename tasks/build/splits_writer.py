"""The parquet files of a dataset, one for each split, written row by row."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from ...benchmark.storage import replacing, sha256_file, write_json
from ...benchmark.task import SPLITS
from ..content import ContentHash
from ..definition import DatasetFacts
from ..folder import table_rows
from .croissant import croissant

_ROW_GROUP = 256
# Level 19 saves one part in seventy more, and takes thirteen times as long.
_COMPRESSION = 9


class SplitsWriter:
    """Writes rows to the file that their `split_official` names; a few hundred are in memory at a time."""

    def __init__(self, paths: Mapping[str, Path], schema: pa.Schema) -> None:
        self._parts = {split: _Part(path, schema) for split, path in paths.items()}

    def add(self, table: pa.Table) -> dict[str, Any]:
        """Write one row, a table of the writer's schema, and return it as `table_rows` gives it."""
        row = table_rows(table)[0]
        self._parts[row["split_official"]].add(table, row)
        return row

    def close(self) -> None:
        """Write what is waiting."""
        for part in self._parts.values():
            part.close()

    def stated(self) -> dict[str, Any]:
        """What the manifest says of the files: rows, content hash and ids by split."""
        return {
            "rows": {split: len(part.ids) for split, part in self._parts.items()},
            "content_sha256": {split: part.content.hexdigest() for split, part in self._parts.items()},
            "ids": {split: part.ids for split, part in self._parts.items()},
        }


@contextlib.contextmanager
def open_splits(out: Path, schema: pa.Schema, image_size: tuple[int, int] | None) -> Iterator[SplitsWriter]:
    """Files in `out` that are put in place at the end of the block, if it ends well.

    Args:
        out: the dataset folder.
        schema: the columns of a row.
        image_size: rows and columns of the arrays, for the `datasets` library.
    """
    typed = schema.with_metadata(_features(schema, image_size).arrow_schema.metadata)
    with contextlib.ExitStack() as stack:
        paths = {split: stack.enter_context(replacing(out / f"{split}.parquet")) for split in SPLITS}
        writer = SplitsWriter(paths, typed)
        yield writer
        writer.close()


def write_croissant(out: Path, facts: DatasetFacts, schema: pa.Schema, meanings: Mapping[str, str]) -> None:
    """Describe the files in `out` as they are now."""
    hashes = {split: sha256_file(out / f"{split}.parquet") for split in SPLITS}
    write_json(out / "croissant.json", croissant(facts, schema, meanings, hashes))


class _Part:
    """One split's file."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self.ids: list[str] = []
        self.content = ContentHash()
        self._schema = schema
        self._waiting: list[pa.Table] = []
        self._file = pq.ParquetWriter(
            path,
            schema,
            compression="zstd",
            compression_level=_COMPRESSION,
            use_dictionary=False,
            use_byte_stream_split=[
                f"{field.name}.list.element.list.element" for field in schema if pa.types.is_list(field.type)
            ],
        )

    def add(self, table: pa.Table, row: Mapping[str, Any]) -> None:
        self.ids.append(row["id"])
        self.content.add(row)
        self._waiting.append(table.replace_schema_metadata(self._schema.metadata))
        if len(self._waiting) == _ROW_GROUP:
            self._flush()

    def close(self) -> None:
        if self._waiting or not self.ids:
            self._flush()
        self._file.close()

    def _flush(self) -> None:
        whole = pa.concat_tables(self._waiting) if self._waiting else self._schema.empty_table()
        self._file.write_table(whole.combine_chunks(), row_group_size=_ROW_GROUP)
        self._waiting = []


def _features(schema: pa.Schema, size: tuple[int, int] | None) -> Any:
    """The same columns in the words of the `datasets` library, which it reads from the file's metadata."""
    from datasets import Array2D, Features, Image, Value

    def feature(field: pa.Field) -> Any:
        if pa.types.is_struct(field.type):
            return Image()
        if pa.types.is_list(field.type):
            return Array2D(shape=size, dtype="float32")
        return Value("float64" if field.type == pa.float64() else str(field.type))

    return Features({field.name: feature(field) for field in schema})
