"""Datasets: their facts, columns and readers. Registered in the entry-point group `ecdbench.datasets`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from ...benchmark.columns import Column, OpenDataset, Role
from ...benchmark.registry import Registry
from ...benchmark.task import SPLITS, Target

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class DatasetFacts:
    """What is known of a dataset without opening it.

    Attributes:
        id: short name.
        title: one line.
        columns: its columns. Split schemes are its columns of role `split`, named `split_<scheme>`, the official one
            first, each with a `fold_<scheme>`; density channels and text tiers are its columns `image_<channel>`,
            `density_<channel>` and `text_<tier>`, the default first.
        targets: its targets; a dataset with one target gives a task of its own name.
        group: what the column of role `group` keeps together, in words.
        provenance: where rows and targets come from.
        license: license of the data.
        citation: what to cite.
    """

    id: str
    title: str
    columns: tuple[Column, ...]
    targets: tuple[Target, ...]
    group: str
    provenance: str
    license: str
    citation: str

    @property
    def channels(self) -> tuple[str, ...]:
        """Density channels, the default first; one called `total` where no column names any."""
        return self._variants("image_") or self._variants("density_") or ("total",)

    @property
    def text_tiers(self) -> tuple[str, ...]:
        """Text tiers."""
        return self._variants("text_")

    @property
    def schemes(self) -> tuple[str, ...]:
        """Split schemes, the official one first."""
        return tuple(column.name.removeprefix("split_") for column in self.columns if column.role == "split")

    def named(self, role: Role) -> tuple[str, ...]:
        """Names of the columns of a role."""
        return tuple(column.name for column in self.columns if column.role == role)

    def task_id(self, target: Target) -> str:
        """The id of a task: the dataset and the target, or the dataset alone where it has one target."""
        return self.id if len(self.targets) == 1 else f"{self.id}/{target.name}"

    def _variants(self, prefix: str) -> tuple[str, ...]:
        inputs = (name for name in self.named("input") if name.startswith(prefix))
        return tuple(name.removeprefix(prefix) for name in inputs)


class DatasetDefinition(Protocol):
    """A dataset that may be known by name."""

    @property
    def facts(self) -> DatasetFacts:
        """What is known without opening it."""
        ...

    def manifest(self, data_dir: Path) -> Mapping[str, Any] | None:
        """Row counts, target statistics and column hashes, without opening the data; None where it is not built yet."""
        ...

    def presence(self, data_dir: Path) -> str:
        """`packaged`, `present`, `downloadable` or `needs building`."""
        ...

    def open(self, data_dir: Path) -> OpenDataset:
        """Open the data. Raises DataError where they are absent or were changed."""
        ...


DATASETS: Registry[DatasetDefinition] = Registry("ecdbench.datasets", "dataset")


def describe_target(values: np.ndarray, splits: Sequence[str]) -> dict[str, Any]:
    """Rows by split, range, mean, standard deviation and share of zeros of a target, for a manifest.

    Args:
        values: shape (n,); NaN where unknown.
        splits: official split of each row.
    """
    import numpy as np

    known = ~np.isnan(values)
    rows = {split: int((known & np.array([one == split for one in splits], dtype=bool)).sum()) for split in SPLITS}
    found = values[known]
    if len(found) == 0:
        return {"rows": rows, "min": None, "max": None, "mean": None, "std": None, "share_of_zeros": None}
    return {
        "rows": rows,
        "min": float(found.min()),
        "max": float(found.max()),
        "mean": float(found.mean()),
        "std": float(found.std()),
        "share_of_zeros": float((found == 0).mean()),
    }
