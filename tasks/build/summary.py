"""What is summed up of a dataset's rows while they are written: targets, noise, duplicates."""

from __future__ import annotations

import hashlib
from array import array
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import numpy as np

from ...benchmark.formula import parse_formula
from ...benchmark.task import SPLITS
from .blueprint import Blueprint

_MISSING = float("nan")


class Summary:
    """Adds up rows; holds a few numbers for each of them.

    Attributes:
        count: rows so far.
        noise: rows by channel whose slice is nothing but noise.
        sources: values found in columns that name a source, by column.
        values: numbers of each property column, NaN where unknown.
        n_elements: elements of each row's formula.
    """

    def __init__(self, blueprint: Blueprint) -> None:
        self.count = 0
        self.noise = dict.fromkeys(blueprint.facts.channels, 0)
        self.sources: dict[str, set[str]] = {}
        self.values = {name: array("d") for name, column in blueprint.columns.items() if column.kind != "string"}
        self.n_elements = array("H")
        self._splits = array("B")
        self._targets = [target.name for target in blueprint.facts.targets]
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
        """Rows by split, range, mean, standard deviation and share of zeros of every target."""
        return {name: self._statistics(name) for name in self._targets}

    def duplicates(self) -> dict[str, dict[str, int]]:
        """For what rows may have in common: rows that are not alone, and holdout rows that have it from a train row.

        Slices that hold nothing but noise are left out of it: they are alike without being duplicates.
        """
        train, holdout = SPLITS.index("train"), SPLITS.index("holdout")
        return {
            name: {
                "rows_not_alone": sum(len(splits) for splits in seen.values() if len(splits) > 1),
                "holdout_rows_also_in_train": sum(s.count(holdout) for s in seen.values() if train in s),
            }
            for name, seen in self._seen.items()
        }

    def _statistics(self, target: str) -> dict[str, Any]:
        values, splits = np.array(self.values[target]), np.array(self._splits)
        known = values[~np.isnan(values)]
        rows = {s: int((~np.isnan(values[splits == index])).sum()) for index, s in enumerate(SPLITS)}
        if len(known) == 0:
            return {"rows": rows, "min": None, "max": None, "mean": None, "std": None, "share_of_zeros": None}
        return {
            "rows": rows,
            "min": float(known.min()),
            "max": float(known.max()),
            "mean": float(known.mean()),
            "std": float(known.std()),
            "share_of_zeros": float((known == 0).mean()),
        }


def _short_hash(value: str | bytes) -> bytes:
    return hashlib.blake2b(value if isinstance(value, bytes) else value.encode(), digest_size=8).digest()
