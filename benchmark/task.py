"""What a task is, and the data that predictors are handed."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
import weakref
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from .columns import Column, ColumnKind, OpenDataset, combined_sha256
from .errors import DataError, EcdbenchError, extension_error
from .inputs import Input, InputOptions, offered_inputs
from .metrics import MAIN_METRIC, Kind

if TYPE_CHECKING:
    from datasets import Dataset, Features

HOLDOUT = "holdout"
SPLITS = ("train", "validation", HOLDOUT)
# Larger tables are written to disk and mapped, so that memory does not grow with the number of rows.
ROWS_IN_MEMORY = 4096

Rows = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Target:
    """A property to predict.

    Attributes:
        name: column of the dataset.
        unit: its unit, as in `GPa`; empty for classification.
        description: what it is, in words that fit a prompt.
        kind: `regression`, or `classification` for a binary target (0 or 1), of which probabilities are predicted.
        metric: the metric that ranks; by default that of the kind.
    """

    name: str
    unit: str
    description: str
    kind: Kind = "regression"
    metric: str = ""

    @property
    def main_metric(self) -> str:
        """The metric that ranks."""
        return self.metric or MAIN_METRIC[self.kind]

    def column(self, kind: ColumnKind = "number") -> Column:
        """The column of a dataset that holds it."""
        return Column(self.name, kind, "target", unit=self.unit, description=self.description)


@dataclass(frozen=True)
class Task:
    """A target of a dataset, with everything that fixes what is asked.

    Attributes:
        id: `sfe` or `dataset/target`.
        dataset: the dataset's id.
        target: what is predicted.
        source: what loads this very task again: its id, `ORG/NAME@COMMIT/TARGET`, or the path of a folder and target.
        channels: density channels that the dataset offers; the first is the default.
        text_tiers: text tiers that it offers, besides `none`.
        schemes: split schemes that it offers; the first is the official one.
        license: license of the data.
        citation: what to cite.
        release: name of an earlier release of the dataset; empty for the present one.
    """

    id: str
    dataset: str
    target: Target
    source: str
    channels: tuple[str, ...]
    text_tiers: tuple[str, ...]
    schemes: tuple[str, ...]
    license: str
    citation: str
    release: str = ""

    @property
    def main_metric(self) -> str:
        """The metric that ranks."""
        return self.target.main_metric


def unit_interval(kind: str, key: str) -> float:
    """A number from 0 to 1 by a hash of a key, another one for each kind of use."""
    digest = hashlib.sha256(f"ecdbench/{kind}/{key}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


@dataclass(frozen=True)
class TaskData:
    """The rows of a task, without its targets.

    Targets are read from the source when they are asked for and are never kept, so that nothing a predictor
    can reach from its inputs leads to the targets of the holdout.

    Attributes:
        task: the task.
        options: what the rows were prepared for.
        inputs: the inputs that rows have, by name; when a task is loaded, those that are not large.
        splits: ids by split.
        folds: fold number by id, for every id.
        groups: the group each id belongs to; rows of one group are not independent.
        dataset: where values are read from.
        base_columns: the columns that define the task, by role: `id`, `target`, `split`, `group`, `fold`.
        altered: rows that a probe has changed, instead of those of the dataset.
    """

    task: Task
    options: InputOptions
    inputs: Mapping[str, Input]
    splits: Mapping[str, Sequence[str]] = field(repr=False)
    folds: Mapping[str, int] = field(repr=False)
    groups: Mapping[str, str] = field(repr=False)
    dataset: OpenDataset = field(repr=False)
    base_columns: Mapping[str, str] = field(repr=False)
    altered: Rows | None = field(default=None, repr=False)

    @property
    def ids(self) -> list[str]:
        """All ids of the task, in split order."""
        return [sample_id for split in SPLITS for sample_id in self.splits[split]]

    def only(self, inputs: Collection[str] | None) -> TaskData:
        """The same task with some of the inputs that the dataset offers; for None with those that are not large."""
        offered = self.inputs if self.altered is not None else offered_inputs(self._input_columns, self.options)
        wanted = [name for name, one in offered.items() if (not one.is_large if inputs is None else name in inputs)]
        return replace(self, inputs={name: offered[name] for name in wanted})

    def under(self, options: InputOptions) -> TaskData:
        """The same task with another text tier or density channel."""
        return replace(self, options=options, inputs=offered_inputs(self._input_columns, options))

    @property
    def rows(self) -> Rows:
        """The inputs by id and name, read when they are asked for: `image` as PNG bytes, `density` as an array
        (e/A^3), `text` and `formula` as strings."""
        if self.altered is not None:
            return self.altered
        sources = {name: self.sources_of(name) for name in self.inputs}
        columns = dict.fromkeys(column for of_one in sources.values() for column in of_one)
        return _InputRows(self.dataset.rows(tuple(columns)), self.inputs, sources, frozenset(self.groups))

    def sources_of(self, name: str) -> tuple[str, ...]:
        """The columns that an input is read from."""
        return self.inputs[name].sources(self._input_columns, self.options)

    @property
    def _input_columns(self) -> list[str]:
        return [column.name for column in self.dataset.columns.values() if column.role == "input"]

    def read_targets(self, ids: Collection[str]) -> dict[str, float]:
        """Target values by id, read afresh."""
        name = self.task.target.name
        return {sample_id: float(value) for sample_id, value in self.dataset.read([name], ids)[name].items()}

    def targets(self, ids: Sequence[str]) -> np.ndarray:
        """Target values, shape (n,), in the task's unit, read afresh."""
        values = self.read_targets(ids)
        return np.array([values[sample_id] for sample_id in ids], dtype=float)

    def table(
        self,
        ids: Sequence[str],
        targets: np.ndarray | None = None,
        names: Mapping[str, str] | None = None,
    ) -> Dataset:
        """Some rows as a `datasets.Dataset`: columns `id`, the inputs, and `target` where targets are given.

        Args:
            ids: which rows, in this order.
            targets: their targets, shape (n,).
            names: what stands in the column `id`, by id; the ids themselves by default.
        """
        # A table of its own: a selection of a larger one would still hold the rest.
        from datasets import Dataset

        rows = self.rows if self.inputs else {}
        features = self._features(rows, ids, targets is not None)
        if len(ids) <= ROWS_IN_MEMORY:
            table = Dataset.from_dict(self._columns(rows, ids, targets, names), features=features)
        else:
            table = on_disk(self._parts(rows, ids, targets, names), features)
        return self.formatted(table, targets is not None)

    def formatted(self, table: Dataset, labelled: bool) -> Dataset:
        """A table whose arrays are read as numpy's."""
        arrays = [name for name, one in self.inputs.items() if one.is_array] + (["target"] if labelled else [])
        return table.with_format("numpy", columns=arrays, output_all_columns=True) if arrays else table

    def labelled(self, ids: Sequence[str]) -> Dataset:
        """The inputs of some rows and their `target`."""
        return self.table(ids, self.targets(ids))

    def pins(self, inputs: Iterable[str], reads_folds: bool) -> dict[str, str]:
        """sha256 of what a run reads, by column: ids, target, split, groups, folds where the protocol reads them, and
        the sources of its inputs; each over the rows of the task.

        Args:
            inputs: names of inputs; those that the dataset does not offer are passed over.
            reads_folds: whether the protocol reads the folds.
        """
        columns = [name for role, name in self.base_columns.items() if reads_folds or role != "fold"]
        columns += [column for name in inputs if name in self.inputs for column in self.sources_of(name)]
        return {name: self.pin(name) for name in dict.fromkeys(columns)}

    def pin(self, column: str) -> str:
        """sha256 of what the rows of the task hold in a column."""
        return combined_sha256(self.dataset.digests(column), self.groups)

    def _parts(
        self, rows: Rows, ids: Sequence[str], targets: np.ndarray | None, names: Mapping[str, str] | None
    ) -> Iterator[dict[str, Any]]:
        for start in range(0, len(ids), ROWS_IN_MEMORY):
            part = slice(start, start + ROWS_IN_MEMORY)
            yield self._columns(rows, ids[part], None if targets is None else targets[part], names)

    def _columns(
        self, rows: Rows, ids: Sequence[str], targets: np.ndarray | None, names: Mapping[str, str] | None
    ) -> dict[str, Any]:
        columns: dict[str, Any] = {"id": list(ids) if names is None else [names[sample_id] for sample_id in ids]}
        columns |= {name: [] for name in self.inputs}
        for row in map(rows.__getitem__, ids if self.inputs else ()):  # each is read once, whatever it takes to make it
            for name, one in self.inputs.items():
                columns[name].append(_ask(name, "encode", one.encode, row[name]))
        return columns | ({} if targets is None else {"target": targets})

    def _features(self, rows: Rows, ids: Sequence[str], labelled: bool) -> Features:
        from datasets import Features, Value

        features: dict[str, Any] = {"id": Value("string")}
        if self.inputs:
            example = rows[ids[0] if ids else self.ids[0]]
            features |= {name: _ask(name, "feature", one.feature, example[name]) for name, one in self.inputs.items()}
        return Features(features | ({"target": Value("float64")} if labelled else {}))


def _ask(name: str, step: str, function: Callable[[Any], Any], value: Any) -> Any:
    """What a method of an input returns."""
    try:
        return function(value)
    except EcdbenchError:
        raise
    except Exception as error:
        raise extension_error(f"The method {step} of the input '{name}'", error) from error


class _InputRows(Mapping[str, Mapping[str, Any]]):
    """Cells of a dataset as inputs, for the rows of a task."""

    def __init__(
        self, cells: Rows, inputs: Mapping[str, Input], sources: Mapping[str, Sequence[str]], ids: Collection[str]
    ) -> None:
        self._cells, self._inputs, self._sources, self._ids = cells, inputs, sources, ids

    def __getitem__(self, sample_id: str) -> Mapping[str, Any]:
        if sample_id not in self._ids:
            raise KeyError(sample_id)
        cells = self._cells[sample_id]
        if empty := [column for columns in self._sources.values() for column in columns if cells[column] is None]:
            raise DataError(f"The dataset has no {empty[0]} of {sample_id}; a column of role input has no empty cells.")
        try:
            return {
                name: _ask(name, "read", one.read, {column: cells[column] for column in self._sources[name]})
                for name, one in self._inputs.items()
            }
        except DataError as error:
            raise DataError(f"{sample_id}: {error}") from error

    def __iter__(self) -> Iterator[str]:
        return iter(self._ids)

    def __len__(self) -> int:
        return len(self._ids)


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
