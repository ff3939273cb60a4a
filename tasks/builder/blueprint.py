"""The blueprint of a dataset: its facts, which crystals it takes, and the schema of its rows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import pyarrow as pa

from ...benchmark.columns import Column
from ..datasets import DatasetFacts

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
        facts: what the manifest states about the dataset.
        notes: template of the card's section on sources and limits, in `tasks/data/templates`.
    """

    facts: DatasetFacts
    notes: str = "user-folder"

    @property
    def is_cubic(self) -> bool:
        """Whether only cubic F-centred crystals are taken."""
        return any(column.name == "cube" for column in self.facts.columns)

    @property
    def density_channels(self) -> list[str]:
        """The channels that are stored."""
        names = (column.name for column in self.facts.columns)
        return [name.removeprefix("structure_factors_") for name in names if name.startswith("structure_factors_")]


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
