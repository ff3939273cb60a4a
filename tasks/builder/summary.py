"""Statistics of a dataset, accumulated row by row while it is written: targets, noise, duplicates."""

from __future__ import annotations

import hashlib
from array import array
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import numpy as np

from ...benchmark.task import SPLITS
from ..composition import parse_formula
from ..datasets import describe_target
from .blueprint import Blueprint

_MISSING = float("nan")


class Summary:
    """Accumulates statistics; keeps a few numbers per row.

    Attributes:
        count: number of rows so far.
        noise: by channel, number of rows whose slice is numerical noise.
        sources: values that occur in the `*_source` columns, by column.
        values: numbers of each target; NaN where unknown.
        n_elements: number of elements in each row's formula.
    """

    def __init__(self, blueprint: Blueprint) -> None:
        self.count = 0
        self.noise = dict.fromkeys(blueprint.facts.channels, 0)
        self.sources: dict[str, set[str]] = {}
        self.values = {target.name: array("d") for target in blueprint.facts.targets}
        self.n_elements = array("H")
        self._splits = array("B")
        self._seen: dict[str, dict[bytes, list[int]]] = {
            "formula": defaultdict(list),
            "chemical_system": defaultdict(list),
            "text_all": defaultdict(list),
            **{f"image_{channel}": defaultdict(list) for channel in blueprint.facts.channels},
        }

    def add(self, row: Mapping[str, Any]) -> None:
        """Add a row of the dataset."""
        split = SPLITS.index(row["split_official"])
        self.count += 1
        self._splits.append(split)
        self.n_elements.append(len(parse_formula(row["formula"])))
        for channel in self.noise:
            self.noise[channel] += row[f"is_noise_{channel}"]
        for name, numbers in self.values.items():
            numbers.append(_MISSING if row[name] is None else row[name])
        for name, value in row.items():
            if name.endswith("_source") and value:
                self.sources.setdefault(name, set()).add(value)
        for name, seen in self._seen.items():
            if name in row and not row.get(f"is_noise_{name.removeprefix('image_')}", False):
                seen[_short_hash(row[name])].append(split)

    def targets(self) -> dict[str, Any]:
        """By target: rows per split, range, mean, standard deviation and fraction of zeros."""
        splits = [SPLITS[index] for index in self._splits]
        return {name: describe_target(np.array(values), splits) for name, values in self.values.items()}

    def duplicates(self) -> dict[str, dict[str, int]]:
        """By column: how many rows share their value with another row, and how many holdout rows with a train row.

        Slices of numerical noise are left out: they look alike without being duplicates.
        """
        train, holdout = SPLITS.index("train"), SPLITS.index("holdout")
        return {
            name: {
                "rows_not_alone": sum(len(splits) for splits in seen.values() if len(splits) > 1),
                "holdout_rows_also_in_train": sum(s.count(holdout) for s in seen.values() if train in s),
            }
            for name, seen in self._seen.items()
        }


def _short_hash(value: str | bytes) -> bytes:
    return hashlib.blake2b(value if isinstance(value, bytes) else value.encode(), digest_size=8).digest()
