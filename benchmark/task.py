"""What a task is: the words of the benchmark as types, and the data a predictor is handed."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
import weakref
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

if TYPE_CHECKING:
    from datasets import Dataset, Features

SPLITS = ("train", "validation", "holdout")
# Larger tables are written to disk and mapped, so that memory does not grow with the number of rows.
_ROWS_IN_MEMORY = 4096
_OPTIONAL = ("density", "text", "formula")


@dataclass(frozen=True)
class Target:
    """A scalar property.

    Attributes:
        name: column of the dataset.
        unit: its unit, as in `GPa`.
        description: what it is, in words that fit a prompt.
    """

    name: str
    unit: str
    description: str


@dataclass(frozen=True)
class Task:
    """A target of a dataset, with everything that fixes what is asked.

    Attributes:
        id: `sfe` or `dataset/target`.
        dataset: the dataset's id.
        target: what is predicted.
        source: what loads this very task again: its id, `ORG/NAME@COMMIT/TARGET`, or the path of a folder and target.
        content_sha256: content hash per file split.
        channels: density channels the dataset offers; the first is the default.
        text_tiers: text tiers it offers, besides `none`.
        schemes: split schemes it offers; the first is the official one.
        license: license of the data.
        citation: what to cite.
        main_metric: the metric that ranks.
    """

    id: str
    dataset: str
    target: Target
    source: str
    content_sha256: Mapping[str, str]
    channels: tuple[str, ...]
    text_tiers: tuple[str, ...]
    schemes: tuple[str, ...]
    license: str
    citation: str
    main_metric: str = "rmse"

    @property
    def revision(self) -> str:
        """The version of the data."""
        return revision_of(self.content_sha256)


def revision_of(content_sha256: Mapping[str, str]) -> str:
    """A short name for one content of a dataset: twelve digits of the hash of its content hashes."""
    return hashlib.sha256(json.dumps(dict(content_sha256), sort_keys=True).encode()).hexdigest()[:12]


@dataclass(frozen=True)
class InputOptions:
    """What a predictor gets to see: text tier, density channel, split scheme."""

    text: str = "none"
    channel: str = "total"
    scheme: str = "official"


class TargetReader(Protocol):
    """Reads one target's values by id, afresh at each call."""

    def __call__(self, target: str) -> dict[str, float]:
        """Values by id, of the rows that have one."""
        ...


@dataclass(frozen=True)
class TaskData:
    """The rows of a task, without its targets.

    Targets are read from the source when they are asked for and are never kept, so that nothing a predictor
    can reach from its inputs leads to the targets of the holdout.

    Attributes:
        task: the task.
        options: what the rows were prepared for.
        rows: one mapping per id with `image` (PNG bytes), and where the dataset has them `density`
            (array, e/A^3), `text` and `formula`.
        splits: ids by split.
        folds: fold number by id, for every id.
        groups: the group each id belongs to; rows of one group are not independent.
    """

    task: Task
    options: InputOptions
    rows: Mapping[str, Mapping[str, Any]] = field(repr=False)
    splits: Mapping[str, Sequence[str]] = field(repr=False)
    folds: Mapping[str, int] = field(repr=False)
    groups: Mapping[str, str] = field(repr=False)
    _read_targets: TargetReader = field(repr=False)

    @property
    def ids(self) -> list[str]:
        """All ids of the task, in split order."""
        return [material for split in SPLITS for material in self.splits[split]]

    def targets(self, ids: Iterable[str]) -> np.ndarray:
        """Target values, shape (n,), in the task's unit."""
        values = self._read_targets(self.task.target.name)
        return np.array([values[material] for material in ids], dtype=float)

    def inputs(self, ids: Sequence[str]) -> Dataset:
        """The inputs of some rows, as a `datasets.Dataset` without target: columns `id`, `image` (PIL),
        and where there are any `density` (float array, e/A^3), `text`, `formula`."""
        return self._dataset(ids, None)

    def labelled(self, ids: Sequence[str]) -> Dataset:
        """The inputs of some rows and their `target`."""
        return self._dataset(ids, self.targets(ids))

    def target_hash(self, material: str, value: float) -> str:
        """A short hash that ties a prediction to the target it was scored against."""
        text = f"{self.task.id}/{material}/{value!r}"
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def _dataset(self, ids: Sequence[str], targets: np.ndarray | None) -> Dataset:
        # A table of its own: a selection of a larger one would still hold the rest.
        features = self._features(targets is not None)
        if len(ids) <= _ROWS_IN_MEMORY:
            from datasets import Dataset

            dataset = Dataset.from_dict(self._columns(ids, targets), features=features)
        else:
            starts = range(0, len(ids), _ROWS_IN_MEMORY)
            parts = (slice(start, start + _ROWS_IN_MEMORY) for start in starts)
            dataset = on_disk(
                (self._columns(ids[part], None if targets is None else targets[part]) for part in parts), features
            )
        arrays = [name for name in ("density", "target") if name in features]
        return dataset.with_format("numpy", columns=arrays, output_all_columns=True) if arrays else dataset

    def _columns(self, ids: Sequence[str], targets: np.ndarray | None) -> dict[str, Any]:
        rows = [self.rows[material] for material in ids]
        columns: dict[str, Any] = {"id": list(ids), "image": [{"bytes": row["image"], "path": None} for row in rows]}
        columns |= {name: [row[name] for row in rows] for name in _OPTIONAL if name in rows[0]} if rows else {}
        return columns | ({} if targets is None else {"target": targets})

    def _features(self, labelled: bool) -> Features:
        from datasets import Array2D, Features, Image, Value

        first = next(iter(self.rows.values()))
        features: dict[str, Any] = {"id": Value("string"), "image": Image()}
        if "density" in first:
            features["density"] = Array2D(shape=first["density"].shape, dtype="float32")
        features |= {name: Value("string") for name in ("text", "formula") if name in first}
        return Features(features | ({"target": Value("float64")} if labelled else {}))


def on_disk(parts: Iterable[Mapping[str, Any]], features: Features) -> Dataset:
    """A dataset in a temporary file that is mapped into memory, and removed with the last reference to it.

    Args:
        parts: columns of some rows at a time.
        features: their types.
    """
    from datasets import Dataset
    from datasets.arrow_writer import ArrowWriter

    folder = tempfile.mkdtemp(prefix="ecdbench-")
    try:
        with ArrowWriter(path=f"{folder}/rows.arrow", features=features) as writer:
            for part in parts:
                writer.write_batch(dict(part))
            writer.finalize()
        dataset = Dataset.from_file(f"{folder}/rows.arrow")
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    weakref.finalize(dataset.data.table, shutil.rmtree, folder, ignore_errors=True)
    return dataset
