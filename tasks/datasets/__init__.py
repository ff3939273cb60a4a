"""Datasets: their facts, columns and readers. Registered in the entry-point group `ecdbench.datasets`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from ...benchmark.columns import Column, ColumnKind, OpenDataset, Role
from ...benchmark.inputs import INPUTS
from ...benchmark.metrics import METRICS
from ...benchmark.registry import Registry
from ...benchmark.task import SPLITS, Target
from ..limits import LONGEST_NAME

if TYPE_CHECKING:
    import numpy as np


# Of datasets, columns and targets: folders are called by them.
_NAME = re.compile(rf"[^\W_][\w-]{{0,{LONGEST_NAME - 1}}}")
# What columns that define tasks hold; those of other roles hold anything.
_KINDS: Mapping[Role, tuple[ColumnKind, ...]] = {
    "id": ("string",),
    "target": ("number", "integer", "boolean"),
    "split": ("string",),
    "fold": ("integer",),
    "group": ("string",),
}


@dataclass(frozen=True)
class DatasetFacts:
    """What is known of a dataset without opening it.

    Attributes:
        id: short name.
        title: one line.
        columns: its columns. Split schemes are its columns of role `split`, named `split_<scheme>`, the official one
            first, each with a `fold_<scheme>`; density channels and text tiers are those that its inputs have columns
            for, as in `image_<channel>` and `text_<tier>`, the default first.
        targets: its targets; a dataset with one target gives a task of its own name.
        group: what the column of role `group` keeps together, in words.
        provenance: where rows and targets come from.
        license: license of the data.
        citation: what to cite.

    Raises:
        ValueError: columns and targets do not make a dataset.
    """

    id: str
    title: str
    columns: tuple[Column, ...]
    targets: tuple[Target, ...]
    group: str
    provenance: str
    license: str
    citation: str

    def __post_init__(self) -> None:
        if problem := next(self._problems(), None):
            raise ValueError(f"the dataset {self.id:.100} {problem}")

    def _problems(self) -> Iterator[str]:
        yield from self._column_problems()
        held = set(self.named("target"))
        for target in self.targets:
            if target.name not in held:
                yield f"has no column of role target for {target.name}"
            if target.kind == "classification" and target.unit:
                yield f"gives the binary target {target.name} a unit"
            metric = target.main_metric
            if metric not in METRICS or target.kind not in METRICS.get(metric).kinds:
                yield f"ranks {target.name} by {metric}, which is no metric of {target.kind}"

    def _column_problems(self) -> Iterator[str]:
        names = [column.name for column in self.columns]
        for name in (self.id, *names, *(target.name for target in self.targets)):
            if not _NAME.fullmatch(name):
                yield f"has the name {name[:100]!r} in it; a name has up to {LONGEST_NAME} letters, digits, - and _"
        for column in self.columns:
            if column.kind not in _KINDS.get(column.role, (column.kind,)):
                yield f"has a {column.role} of kind {column.kind} ({column.name})"
            if not _is_shape(column):
                yield f"gives the {column.kind} {column.name} the shape {column.shape}"
        if twice := {name for name in names if names.count(name) > 1}:
            yield f"has the column {min(twice)} twice"
        if self.named("id") != ("id",) or len(self.named("group")) != 1:
            yield "needs one column of role id, called id, and one of role group"
        if not self.targets or not self.schemes:
            yield "needs a target and a column split_official"
        for scheme in self.schemes:
            if not {f"split_{scheme}", f"fold_{scheme}"} <= set(names):
                yield f"needs the columns split_{scheme} and fold_{scheme}"

    @property
    def channels(self) -> tuple[str, ...]:
        """Density channels, the default first; one called `total` where no column names any."""
        return self._variants("channel") or ("total",)

    @property
    def text_tiers(self) -> tuple[str, ...]:
        """Text tiers."""
        return self._variants("text")

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

    def _variants(self, option: str) -> tuple[str, ...]:
        columns, inputs = self.named("input"), (one for one in INPUTS.all().values() if one.option == option)
        return tuple(dict.fromkeys(variant for one in inputs for variant in one.variants(columns)))


@runtime_checkable
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


@runtime_checkable
class Downloadable(DatasetDefinition, Protocol):
    """A dataset that can be downloaded from its source."""

    def fetch(self, data_dir: Path, progress: Callable[[int, int], None]) -> Path:
        """Download what is missing, and return the folder. Raises DataError where the source does not serve it."""
        ...


def _is_shape(column: Column) -> bool:
    """Whether a column has the shape that its kind needs: positive lengths, of which the first of an array may vary."""
    dimensions = {"array": (1, 2, 3, 4, 5), "image": (0, 2)}.get(column.kind, (0,))
    lengths = column.shape[1:] if column.shape[:1] == (None,) else column.shape
    return len(column.shape) in dimensions and all(length is not None and length > 0 for length in lengths)


DATASETS: Registry[DatasetDefinition] = Registry(
    "ecdbench.datasets", "dataset", DatasetDefinition, lambda one: one.facts.id
)


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
