"""What a dataset is to look like: its facts, its property columns, and how its slices are cut."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pyarrow as pa

from ..definition import DatasetFacts
from .plane import PlaneSettings


@dataclass(frozen=True)
class Column:
    """A property column: `float`, `int` or `string`, and what it means with its unit."""

    kind: str
    meaning: str


@dataclass(frozen=True)
class Blueprint:
    """How rows are made, and what the folder says of them.

    Attributes:
        facts: what the manifest states of the dataset.
        columns: property columns by name, besides those every dataset has.
        plane: which plane is cut.
        regrid: go through this many points per cube axis (the paper's route) instead of straight to the plane.
        notes: name of the card's part on sources and limits, in `tasks/data/templates`.
    """

    facts: DatasetFacts
    columns: Mapping[str, Column]
    plane: PlaneSettings = field(default_factory=PlaneSettings)
    regrid: int | None = None
    notes: str = "own"


# Columns of every dataset that is built from densities, before the slices.
IDENTITY_COLUMNS = {
    "id": Column("string", "id of the crystal at its source"),
    "formula": Column("string", "chemical formula"),
    "chemical_system": Column("string", "elements in alphabetical order; the group of the grouped scheme"),
    "spacegroup": Column("int", "number of the space group"),
    "n_sites": Column("int", "atoms in the cell of the density"),
    "lattice_parameter": Column("float", "edge of the conventional cube, A"),
    "n_electrons": Column("float", "integral of the total density over the cell"),
    "split_official": Column("string", "split, by a hash of the id"),
    "split_grouped": Column("string", "split that keeps chemical systems together, by a hash of the system"),
    "fold_official": Column("int", "fold, by a hash of the id"),
    "fold_grouped": Column("int", "fold, by a hash of the system"),
}
_KINDS = {"float": pa.float64(), "int": pa.int64(), "string": pa.string()}
IMAGE_TYPE = pa.struct({"bytes": pa.binary(), "path": pa.string()})
_DENSITY = pa.list_(pa.list_(pa.float32()))


def schema_of(blueprint: Blueprint) -> pa.Schema:
    """The Arrow schema of the dataset's rows: identity, slices of each channel, texts, properties."""
    fields = [(name, _KINDS[column.kind]) for name, column in IDENTITY_COLUMNS.items()]
    for channel in blueprint.facts.channels:
        fields += [
            (f"image_{channel}", IMAGE_TYPE),
            (f"density_{channel}", _DENSITY),
            (f"is_noise_{channel}", pa.bool_()),
        ]
    fields += [(f"text_{tier}", pa.string()) for tier in blueprint.facts.text_tiers]
    fields += [(name, _KINDS[column.kind]) for name, column in blueprint.columns.items()]
    return pa.schema(fields)


def meanings_of(blueprint: Blueprint) -> dict[str, str]:
    """What each column holds, in a line."""
    known = {**IDENTITY_COLUMNS, **blueprint.columns}
    meanings = {name: column.meaning for name, column in known.items()}
    for channel in blueprint.facts.channels:
        meanings[f"image_{channel}"] = f"the slice of the {channel} density as a picture"
        meanings[f"density_{channel}"] = f"the slice of the {channel} density, e/A^3"
        meanings[f"is_noise_{channel}"] = f"whether the slice of the {channel} density is nothing but numerical noise"
    return meanings | {f"text_{tier}": f"the text tier {tier}" for tier in blueprint.facts.text_tiers}
