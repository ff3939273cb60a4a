"""A dataset folder with the views of its densities as columns, so that other tools see pictures without ecdbench."""

from __future__ import annotations

import heapq
import shutil
from collections.abc import Iterator
from dataclasses import asdict, replace
from operator import itemgetter
from pathlib import Path

from ...benchmark.columns import Column
from ...benchmark.errors import DataError
from ...benchmark.inputs import Input, InputOptions
from ...benchmark.storage import write_json
from ...benchmark.task import SPLITS
from ..datasets import DatasetFacts
from ..datasets.folder import DatasetFolder
from ..datasets.manifest import MANIFEST, checked_file, companions
from ..density.views import PLANE_SIZE
from ..standard_inputs import DensityInput, ImageInput
from .croissant import write_croissant
from .writer import open_splits

# The views that are stored, and the columns that they become.
_VIEWS: tuple[tuple[Input, Column], ...] = (
    (ImageInput(), Column("image", "image", "input", (PLANE_SIZE, PLANE_SIZE))),
    (DensityInput(), Column("density", "array", "input", (PLANE_SIZE, PLANE_SIZE), "e/A^3")),
)


def has_views(dataset: DatasetFolder) -> bool:
    """Whether every view of a plane that the dataset offers is stored as a column of its own."""
    return not list(_missing(dataset.facts))


def write_views_folder(dataset: DatasetFolder, out: Path) -> None:
    """Write a copy of a dataset folder with pictures and planes of every channel as columns.

    Raises:
        DataError: a column of the dataset was changed.
    """
    dataset.verify()
    new = list(_missing(dataset.facts))
    facts = replace(dataset.facts, columns=(*dataset.facts.columns, *(column for column, _, _ in new)))
    out.mkdir(parents=True, exist_ok=True)
    for name in companions(dataset.folder):
        shutil.copyfile(checked_file(dataset.folder, name), out / name)
    with open_splits(out, facts.columns) as writer:
        for row in heapq.merge(*(dataset.stream(split) for split in SPLITS), key=itemgetter("id")):
            try:
                views = {column.name: view.read({name: row[name] for name in sources}) for column, view, sources in new}
            except DataError as error:
                raise DataError(f"{dataset.folder}: {row['id']}: {error}") from error
            writer.add_row({**row, **views})
    write_croissant(out, facts)
    write_json(out / MANIFEST, {**dataset.manifest, "facts": asdict(facts), **writer.manifest_entries()})


def _missing(facts: DatasetFacts) -> Iterator[tuple[Column, Input, tuple[str, ...]]]:
    """The views that are synthesised: as a column, the input that makes it, and the columns that it is made from."""
    inputs = facts.named("input")
    for view, column in _VIEWS:
        for channel in view.variants(inputs):
            name, sources = f"{view.name}_{channel}", view.sources(inputs, InputOptions(channel=channel))
            if name not in inputs and len(sources) > 1:
                yield replace(column, name=name, description=f"(111) plane of the {channel} density"), view, sources
