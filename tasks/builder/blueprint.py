"""The blueprint of a dataset: its facts, how its slices are cut, and the schema of its rows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import pyarrow as pa

from ...benchmark.columns import Column
from ..datasets import DatasetFacts
from .slices import PlaneSettings

_TYPES = {
    "string": pa.string(),
    "integer": pa.int64(),
    "number": pa.float64(),
    "boolean": pa.bool_(),
    "image": pa.struct({"bytes": pa.binary(), "path": pa.string()}),
}


@dataclass(frozen=True)
class Blueprint:
    """How rows are made, and how the dataset describes them.

    Attributes:
        facts: what the manifest states about the dataset; slices get the size of the plane.
        plane: which plane is cut.
        regrid: go through a grid of this many points per cube axis (the paper's route); None cuts the plane directly.
        notes: template of the card's section on sources and limits, in `tasks/data/templates`.
    """

    facts: DatasetFacts
    plane: PlaneSettings = field(default_factory=PlaneSettings)
    regrid: int | None = None
    notes: str = "user-folder"

    def __post_init__(self) -> None:
        shape = (self.plane.size, self.plane.size)
        columns = (replace(c, shape=shape) if c.kind == "array" else c for c in self.facts.columns)
        object.__setattr__(self, "facts", replace(self.facts, columns=tuple(columns)))


def row_schema(columns: Iterable[Column]) -> pa.Schema:
    """The Arrow schema of a row."""
    return pa.schema([(column.name, _arrow_type(column)) for column in columns])


def _arrow_type(column: Column) -> pa.DataType:
    if column.kind != "array":
        return _TYPES[column.kind]
    kind = pa.float32()
    for _ in column.shape:
        kind = pa.list_(kind)
    return kind
