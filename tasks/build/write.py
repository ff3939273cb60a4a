"""Write a dataset folder: parquet per split, then figures, card, Croissant description and manifest.

Rows are read one after the other, so memory does not grow with their number; what is summed up of them is a few
numbers for each.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyarrow as pa

from ...benchmark.errors import DataError
from ...benchmark.storage import write_json, write_text
from ..folder import MANIFEST
from .blueprint import Blueprint, meanings_of, schema_of
from .card import dataset_card
from .figures import Gallery, draw_distributions
from .render import NOISE_LEVEL, RENDERING
from .splits_writer import open_splits, write_croissant
from .summary import Summary

BUILDER_VERSION = "2"


def write_dataset(out: Path, blueprint: Blueprint, rows: Iterable[pa.Table], origin: Mapping[str, Any]) -> int:
    """Write rows as a folder that `datasets.load_dataset` reads. The manifest comes last.

    Args:
        out: the folder.
        blueprint: how the rows were made.
        rows: tables of one row each, in order of their ids; `split_official` names the file each goes to.
        origin: what the manifest says of the source: version, selection, failures.

    Returns:
        How many rows there were.

    Raises:
        DataError: there are no rows.
    """
    summary, gallery = Summary(blueprint), Gallery(blueprint.facts.channels)
    schema, size = schema_of(blueprint), blueprint.plane.size
    with open_splits(out, schema, (size, size)) as writer:
        for table in rows:
            row = writer.add(table)
            summary.add(row)
            gallery.add(row)
        if summary.count == 0:
            raise DataError(f"No crystal became a row, so there is no dataset to write; {out}/failures.csv says why.")
    manifest = {
        "dataset": blueprint.facts.id,
        "builder_version": BUILDER_VERSION,
        "facts": asdict(blueprint.facts),
        "plane": asdict(blueprint.plane),
        "regrid": blueprint.regrid,
        "rendering": {name: asdict(RENDERING[name]) for name in blueprint.facts.channels},
        "noise_level": NOISE_LEVEL,
        **origin,
        "targets": summary.targets(),
        "noise": summary.noise,
        "duplicates": summary.duplicates(),
        **writer.stated(),
    }
    gallery.draw(out)
    draw_distributions(out, blueprint, summary)
    write_text(out / "README.md", dataset_card(blueprint, manifest, summary.sources))
    write_croissant(out, blueprint.facts, schema, meanings_of(blueprint))
    write_json(out / MANIFEST, manifest)
    return summary.count
