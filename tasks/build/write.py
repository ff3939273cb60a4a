"""Write a dataset folder: parquet per split, card, manifest and Croissant description."""

from __future__ import annotations

from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ...benchmark.storage import sha256_file, write_atomically, write_json, write_text
from ...benchmark.task import SPLITS
from ..content import content_sha256
from ..ecd_fcc import FACTS
from .card import croissant, dataset_card
from .plane import PlaneSettings
from .render import NOISE_LEVEL, RENDERING

BUILDER_VERSION = "1"


def write_dataset(out: Path, rows: list[dict[str, Any]], plane: PlaneSettings, regrid: int | None) -> None:
    """Write the rows as a folder that `datasets.load_dataset` reads. Files are replaced one by one, atomically.

    Args:
        out: the folder.
        rows: rows with equal keys; `split_official` names the file each goes to.
        plane: which plane was cut, for the manifest.
        regrid: the regrid size, for the manifest.
    """
    by_split = {split: [row for row in rows if row["split_official"] == split] for split in SPLITS}
    features = _features(rows[0])
    for split, part in by_split.items():
        table = _table(part, features)
        write_atomically(out / f"{split}.parquet", partial(_write_parquet, table))
    manifest = {
        "dataset": FACTS.id,
        "builder_version": BUILDER_VERSION,
        "plane": asdict(plane),
        "regrid": regrid,
        "rendering": {name: asdict(settings) for name, settings in RENDERING.items()},
        "noise_level": NOISE_LEVEL,
        "rows": {split: len(part) for split, part in by_split.items()},
        "content_sha256": {split: content_sha256(part) for split, part in by_split.items()},
        "ids": {split: [row["id"] for row in part] for split, part in by_split.items()},
        "targets": {target.name: _target_statistics(by_split, target.name) for target in FACTS.targets},
    }
    write_json(out / "manifest.json", manifest)
    write_text(out / "README.md", dataset_card(rows, manifest))
    hashes = {split: sha256_file(out / f"{split}.parquet") for split in SPLITS}
    write_json(out / "croissant.json", croissant(table.schema, hashes))


def _target_statistics(by_split: dict[str, list[dict[str, Any]]], target: str) -> dict[str, Any]:
    values = {split: [row[target] for row in part if row[target] is not None] for split, part in by_split.items()}
    known = np.array([value for part in values.values() for value in part])
    return {
        "rows": {split: len(part) for split, part in values.items()},
        "min": float(known.min()),
        "max": float(known.max()),
        "mean": float(known.mean()),
        "std": float(known.std()),
        "share_of_zeros": float((known == 0).mean()),
    }


def _features(row: dict[str, Any]) -> Any:
    from datasets import Array2D, Features, Image, Value

    def feature(name: str, value: Any) -> Any:
        if name.startswith("image_"):
            return Image()
        if isinstance(value, np.ndarray):
            return Array2D(shape=value.shape, dtype="float32")
        if isinstance(value, bool):
            return Value("bool")
        if isinstance(value, int):
            return Value("int64")
        return Value("string" if isinstance(value, str) or name.endswith("_source") else "float64")

    return Features({name: feature(name, value) for name, value in row.items()})


def _table(rows: list[dict[str, Any]], features: Any) -> pa.Table:
    """An Arrow table with plain list columns for the densities, typed for the `datasets` library."""
    columns = {}
    for name in features:
        values = [row[name] for row in rows]
        if name.startswith("image_"):
            columns[name] = pa.array(
                [{"bytes": value, "path": None} for value in values],
                pa.struct({"bytes": pa.binary(), "path": pa.string()}),
            )
        elif name.startswith("density_"):
            columns[name] = pa.array([value.tolist() for value in values], pa.list_(pa.list_(pa.float32())))
        else:
            columns[name] = pa.array(values, features[name].pa_type)
    metadata = features.arrow_schema.metadata
    return pa.table(columns).replace_schema_metadata(metadata)


def _write_parquet(table: pa.Table, path: Path) -> None:
    split_bytes = [f"{name}.list.element.list.element" for name in table.column_names if name.startswith("density_")]
    pq.write_table(
        table,
        path,
        compression="zstd",
        compression_level=19,
        use_dictionary=False,
        use_byte_stream_split=split_bytes,
        row_group_size=256,
    )
