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
        noise: by channel, number of rows whose density is numerical noise.
        sources: values that occur in the `*_source` columns, by column.
        values: numbers of each target; NaN where unknown.
        n_elements: number of elements in each row's formula.
    """

    def __init__(self, blueprint: Blueprint) -> None:
        self.count = 0
        self.noise = dict.fromkeys(blueprint.density_channels, 0)
        self.sources: dict[str, set[str]] = {}
        self.values = {target.name: array("d") for target in blueprint.facts.targets}
        self.n_elements = array("H")
        self._splits = array("B")
        self._seen: dict[str, dict[bytes, list[int]]] = {
            "formula": defaultdict(list),
            "chemical_system": defaultdict(list),
            "text_all": defaultdict(list),
            **{f"structure_factors_{channel}": defaultdict(list) for channel in blueprint.density_channels},
        }
        self._errors = {channel: array("d") for channel in blueprint.density_channels}
        self._accurate = array("B")
        self._resolution = array("d")

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
            if not row.get(f"is_noise_{name.removeprefix('structure_factors_')}", False):
                seen[_short_hash(row[name])].append(split)
        for channel, errors in self._errors.items():
            errors.append(row[f"error_{channel}"])
        self._accurate.append(row["is_accurate"])
        self._resolution.append(row["resolution"])

    def targets(self) -> dict[str, Any]:
        """By target: rows per split, range, mean, standard deviation and fraction of zeros."""
        splits = [SPLITS[index] for index in self._splits]
        return {name: describe_target(np.array(values), splits) for name, values in self.values.items()}

    def densities(self) -> dict[str, Any]:
        """Rows by resolution, rows that are less accurate than asked for, and median and largest error by channel."""
        resolutions, counts = np.unique(np.array(self._resolution), return_counts=True)
        return {
            "rows_by_resolution": {f"{one:g}": int(count) for one, count in zip(resolutions, counts, strict=True)},
            "less_accurate": self.count - sum(self._accurate),
            "errors": {
                channel: {"median": float(np.median(errors)), "largest": float(np.max(errors))}
                for channel, errors in self._errors.items()
            },
        }

    def duplicates(self) -> dict[str, dict[str, int]]:
        """By column: how many rows share their value with another row, and how many holdout rows with a train row.

        Densities of numerical noise are left out: they look alike without being duplicates.
        """
        train, holdout = SPLITS.index("train"), SPLITS.index("holdout")
        return {
            name: {
                "rows_not_alone": sum(len(splits) for splits in seen.values() if len(splits) > 1),
                "holdout_rows_also_in_train": sum(s.count(holdout) for s in seen.values() if train in s),
            }
            for name, seen in self._seen.items()
        }


def _short_hash(value: str | np.ndarray) -> bytes:
    return hashlib.blake2b(value.encode() if isinstance(value, str) else value.tobytes(), digest_size=8).digest()
