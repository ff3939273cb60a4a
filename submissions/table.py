"""The predictions of an entry: a small parquet file in which a changed digit shows."""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..benchmark.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

_COLUMNS = {
    "id": "string", "split": "string", "fold": "int64", "seed": "int64", "prediction": "double", "status": "string",
    "check": "uint32",
}  # fmt: skip
_OPTIONAL = {"prediction_std": "double"}
_MOST_ROWS = 1_000_000
_MOST_BYTES = 256 * 2**20


def checksums(frame: pd.DataFrame) -> list[int]:
    """A checksum for each row, over everything it says."""
    columns = [name for name in (*_COLUMNS, *_OPTIONAL) if name in frame.columns and name != "check"]
    rows = zip(*(frame[name].tolist() for name in columns), strict=True)
    return [zlib.crc32("|".join(map(str, row)).encode()) for row in rows]


def check_file(path: Path) -> None:
    """Check what a parquet file says of itself, before any of it is read.

    Raises:
        DataError: it is no parquet file, has other columns, or is too large when unpacked.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(path)
        rows, schema = file.metadata.num_rows, file.schema_arrow
        groups = [file.metadata.row_group(index) for index in range(min(file.metadata.num_row_groups, 1000))]
        size = sum(group.total_byte_size for group in groups)
    except (OSError, pa.ArrowException) as error:
        raise DataError(f"{path} is no readable parquet file ({type(error).__name__}).") from error
    if rows > _MOST_ROWS or size > _MOST_BYTES:
        raise DataError(f"{path} would have {rows:,} rows and {size:,} bytes; no task needs so many.")
    found = {field.name: str(field.type).removeprefix("large_") for field in schema}
    if len(found) < len(schema.names) or any(found.get(name) != kind for name, kind in _COLUMNS.items()):
        raise DataError(f"{path} has other columns than {', '.join(_COLUMNS)}, or other types.")
    if strange := {name: kind for name, kind in found.items() if (_COLUMNS | _OPTIONAL).get(name) != kind}:
        raise DataError(f"{path} has the column {min(strange)[:60]!r}, which does not belong there.")


def check_rows(path: Path, frame: pd.DataFrame) -> None:
    """Check each row for itself.

    Raises:
        DataError: a row was changed after it was submitted, or its prediction and its status disagree.
    """
    for row, expected in zip(frame.itertuples(index=False), checksums(frame), strict=True):
        if row.check != expected:
            raise DataError(
                f"{path}: the prediction of {str(row.id)[:60]} (split {str(row.split)[:20]}, seed {row.seed}, fold "
                f"{row.fold}) was changed after it was submitted; submit the run again."
            )
    bad = np.isinf(frame["prediction"]) | (frame["prediction"].isna() != (frame["status"] != "ok"))
    if bad.any():
        row = frame[bad].iloc[0]
        raise DataError(
            f"{path}: the prediction of {str(row['id'])[:60]} is {row['prediction']} and its status "
            f"{str(row['status'])[:30]!r}; a prediction is a finite number, or NaN with a status that says why."
        )
