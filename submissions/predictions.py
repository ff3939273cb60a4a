"""The predictions of an entry: a small parquet file in which a changed digit shows."""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..benchmark.errors import DataError
from ..benchmark.limited_process import LimitedProcess

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa
    import pyarrow.parquet as pq

_COLUMNS = {
    "id": "string", "split": "string", "fold": "int64", "seed": "int64", "prediction": "double", "status": "string",
    "check": "uint32",
}  # fmt: skip
_OPTIONAL = {"size": "double", "repeat": "int64", "prediction_std": "double"}
_TEXTS = ["id", "split", "status"]
# Kept from one file to the next, since there can be thousands.
READER = LimitedProcess()
_MOST_ROWS, _MOST_BYTES, _MOST_GROUPS, _LONGEST = 1_000_000, 64 * 2**20, 100, 200


def checksums(frame: pd.DataFrame) -> list[int]:
    """A checksum for each row, over everything it says."""
    columns = [name for name in (*_COLUMNS, *_OPTIONAL) if name in frame.columns and name != "check"]
    rows = zip(*(frame[name].tolist() for name in columns), strict=True)
    return [zlib.crc32("|".join(map(str, row)).encode()) for row in rows]


def read_predictions(path: Path) -> pd.DataFrame:
    """Read the predictions of an entry, in a process of its own.

    Raises:
        DataError: as `read_table` says, or the file makes the library that reads it crash.
    """
    try:
        frame: pd.DataFrame = READER(read_table, path.absolute()).to_pandas()
    except TimeoutError as error:
        raise DataError(f"{path} took too long to read; submit the run again.") from error
    except (ChildProcessError, MemoryError) as error:
        raise DataError(f"{path} crashed the reader; submit the run again.") from error
    return frame.astype(dict.fromkeys(_TEXTS, "string") | {"fold": "int64", "seed": "int64"})


def read_table(path: Path) -> pa.Table:
    """Read the predictions of an entry, having checked what the file says of itself and what its texts hold.

    Raises:
        DataError: it is not a parquet file, has other columns, or is too large when unpacked.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        _check_file(path, pq.ParquetFile(path))
        table = pq.ParquetFile(path, read_dictionary=_TEXTS).read()
        table.validate(full=True)  # indices of dictionaries, lengths of texts, and that texts are UTF-8
    except (OSError, ValueError, pa.ArrowException) as error:
        raise DataError(f"{path} is not a readable parquet file ({type(error).__name__}).") from error
    for name in _TEXTS:
        for chunk in table.column(name).chunks:
            # As a dictionary, a text that all rows share is stored once, however large it is.
            if max((len(text) for text in chunk.dictionary.to_pylist() if text), default=0) > _LONGEST:
                raise DataError(f"{path} has a text of more than {_LONGEST} characters in the column {name}.")
    return table


def _check_file(path: Path, file: pq.ParquetFile) -> None:
    metadata, schema = file.metadata, file.schema_arrow
    groups = [metadata.row_group(index) for index in range(min(metadata.num_row_groups, _MOST_GROUPS + 1))]
    rows, size = sum(group.num_rows for group in groups), sum(group.total_byte_size for group in groups)
    if rows != metadata.num_rows or len(groups) > _MOST_GROUPS or rows > _MOST_ROWS or size > _MOST_BYTES:
        raise DataError(f"{path} would have {rows:,} rows and {size:,} bytes; no task needs so many.")
    # How much snappy can expand is bounded; with other compressions it is not.
    codecs = {group.column(index).compression for group in groups for index in range(group.num_columns)}
    if not codecs <= {"SNAPPY", "UNCOMPRESSED"}:
        raise DataError(f"{path} is compressed with {min(codecs)}; `ecdbench submit` writes snappy.")
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
    changed = frame["check"].to_numpy() != np.array(checksums(frame))
    if changed.any():
        row = frame[changed].iloc[0]
        raise DataError(
            f"{path}: the prediction of {str(row['id'])[:60]} (split {str(row['split'])[:20]}, seed {row['seed']}, "
            f"fold {row['fold']}) was changed after it was submitted; submit the run again."
        )
    if "prediction_std" in frame.columns:
        stated = frame["prediction_std"].to_numpy(float)
        if np.isinf(stated).any() or (stated < 0).any():
            raise DataError(f"{path}: a prediction_std is negative or infinite; it is a standard deviation, or NaN.")
    bad = np.isinf(frame["prediction"]) | (frame["prediction"].isna() != (frame["status"] != "ok"))
    if bad.any():
        row = frame[bad].iloc[0]
        raise DataError(
            f"{path}: the prediction of {str(row['id'])[:60]} is {row['prediction']} and its status "
            f"{str(row['status'])[:30]!r}; a prediction is a finite number, or NaN with a status that says why."
        )
