"""A dataset folder with the views of its densities as columns, so that other tools see pictures without ecdbench."""

from __future__ import annotations

import heapq
import shutil
from collections.abc import Iterator
from dataclasses import asdict, replace
from operator import itemgetter
from pathlib import Path

import numpy as np
import pyarrow as pa

from ...benchmark.columns import Column, ColumnKind
from ...benchmark.inputs import Input, InputOptions
from ...benchmark.storage import write_json
from ...benchmark.task import SPLITS
from ..datasets import DatasetFacts
from ..datasets.folder import MANIFEST, DatasetFolder
from ..density.views import PLANE_SIZE, picture_of, plane_of
from ..standard_inputs import DensityInput, ImageInput
from .blueprint import row_schema
from .croissant import write_croissant
from .writer import open_splits


def has_views(dataset: DatasetFolder) -> bool:
    """Whether every view of a plane that the dataset offers is stored as a column of its own."""
    return not list(_missing(dataset.facts))


def write_views_folder(dataset: DatasetFolder, out: Path) -> None:
    """Write a copy of a dataset folder with pictures and planes of every channel as columns."""
    new = list(_missing(dataset.facts))
    facts = replace(dataset.facts, columns=(*dataset.facts.columns, *(column for column, _ in new)))
    schema = row_schema(facts.columns)
    out.mkdir(parents=True, exist_ok=True)
    for path in dataset.folder.iterdir():
        if path.is_file() and path.suffix != ".parquet":
            shutil.copyfile(path, out / path.name)
    with open_splits(out, facts.columns) as writer:
        for row in heapq.merge(*(dataset.stream(split) for split in SPLITS), key=itemgetter("id")):
            for column, sources in new:
                cells = {name: row[name] for name in sources}
                is_image = column.kind == "image"
                row[column.name] = {"bytes": picture_of(cells), "path": None} if is_image else plane_of(cells)
            plain = {name: cell.tolist() if isinstance(cell, np.ndarray) else cell for name, cell in row.items()}
            writer.add(pa.Table.from_pylist([plain], schema=schema))
    write_croissant(out, facts)
    write_json(out / MANIFEST, {**dataset.manifest, "facts": asdict(facts), **writer.manifest_entries()})


def _missing(facts: DatasetFacts) -> Iterator[tuple[Column, tuple[str, ...]]]:
    """The views that are synthesised, each as a column and the columns that it is made from."""
    inputs = facts.named("input")
    views: tuple[tuple[Input, ColumnKind, tuple[int, ...], str], ...] = (
        (ImageInput(), "image", (), ""),
        (DensityInput(), "array", (PLANE_SIZE, PLANE_SIZE), "e/A^3"),
    )
    for view, kind, shape, unit in views:
        for channel in view.variants(inputs):
            sources = view.sources(inputs, InputOptions(channel=channel))
            if len(sources) > 1 and f"{view.name}_{channel}" not in inputs:
                of = f"(111) plane of the {channel} density"
                yield Column(f"{view.name}_{channel}", kind, "input", shape, unit, of), sources
