"""Datasets on disk: a folder that `datasets.load_dataset` reads, with a manifest that fixes its content."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ..benchmark.errors import DataError
from ..benchmark.task import SPLITS
from .content import content_sha256


def read_manifest(folder: Path) -> dict[str, Any]:
    """Read `manifest.json`: version, ids and content hash per split."""
    try:
        return json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    except (OSError, json.JSONDecodeError) as error:
        raise DataError(f"{folder} has no readable manifest.json; rebuild or download the dataset again.") from error


def table_rows(table: pa.Table) -> list[dict[str, Any]]:
    """Rows of a dataset table, images as PNG bytes and densities as float32 arrays of shape (n, n)."""
    columns = {}
    for name in table.column_names:
        column = table.column(name).combine_chunks()
        if name.startswith("image_"):
            columns[name] = column.field("bytes").to_pylist()
        elif name.startswith("density_"):
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
        for split in SPLITS:
            actual = content_sha256(table_rows(self._read(split)))
            if actual != self.manifest["content_sha256"][split]:
                raise DataError(f"{self._file(split)} was changed: its content does not match the manifest. {remedy}")

    def rows(self, channel: str, text: str) -> dict[str, dict[str, Any]]:
        """Inputs by id, as `OpenDataset.rows` says."""
        columns = {f"image_{channel}": "image", f"density_{channel}": "density", "formula": "formula"}
        if text != "none":
            columns[f"text_{text}"] = "text"
        return {
            row["id"]: {columns[name]: value for name, value in row.items() if name in columns}
            for row in self._rows(["id", *columns])
        }

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
        """Chemical system by id."""
        return self._column("chemical_system")

    def table(self) -> list[dict[str, Any]]:
        """One mapping per row: what identifies it, without inputs and targets."""
        return self._rows(["id", "formula", "chemical_system", "spacegroup", "n_sites", "lattice_parameter"])

    def _column(self, name: str) -> dict[str, Any]:
        return {row["id"]: row[name] for row in self._rows(["id", name])}

    def _rows(self, columns: list[str]) -> list[dict[str, Any]]:
        return [row for split in SPLITS for row in table_rows(self._read(split, columns))]

    def _file(self, split: str) -> Path:
        return self.folder / f"{split}.parquet"

    def _read(self, split: str, columns: list[str] | None = None) -> pa.Table:
        try:
            return pq.read_table(self._file(split), columns=columns)
        except (OSError, pa.ArrowException) as error:
            raise DataError(f"{self._file(split)} cannot be read ({type(error).__name__}). {self._remedy}") from error
