"""What runs are scored against: targets, fits and column hashes of each task and protocol, read once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..benchmark.metrics import METRICS, Metric, Sample
from ..benchmark.protocols import PROTOCOLS, Fit, FitKey, Protocol, learning_ids
from ..benchmark.statistics import Folds
from ..benchmark.task import TaskData
from ..benchmark.user_folders import default_data_dir
from ..tasks.catalogue import find_task, load_task


class PredictionKey(NamedTuple):
    """What a run predicts once per seed."""

    fold: int
    size: float
    repeat: int
    split: str
    sample_id: str


@dataclass(frozen=True)
class Reference:
    """A task's data under one protocol.

    Targets are kept in memory: nothing that predicts runs here.

    Attributes:
        data: the task.
        protocol: the protocol.
    """

    data: TaskData
    protocol: Protocol

    @property
    def main(self) -> str:
        """The split that ranks."""
        return self.protocol.main_split

    @property
    def metric(self) -> Metric:
        """The metric that ranks."""
        return METRICS.get(self.data.task.main_metric)

    @cached_property
    def fits(self) -> list[Fit]:
        """The fits of one seed."""
        return self.protocol.plan(self.data)

    @cached_property
    def predicted(self) -> Mapping[str, frozenset[PredictionKey]]:
        """What a complete run predicts, by split."""
        found: dict[str, set[PredictionKey]] = {}
        for fit in self.fits:
            for split, ids in fit.predicted.items():
                keys = (PredictionKey(fit.fold, fit.size, fit.repeat, split, sample_id) for sample_id in ids)
                found.setdefault(split, set()).update(keys)
        return {split: frozenset(keys) for split, keys in found.items()}

    @cached_property
    def ids(self) -> dict[str, list[str]]:
        """Ids by split, in the order in which runs are scored; an id that several folds predict is there as often."""
        return {split: [sample_id for sample_id, _ in rows] for split, rows in self._rows.items()}

    @cached_property
    def _rows(self) -> dict[str, list[tuple[str, int]]]:
        """Ids by split with the folds that predict them, of the first repetition."""
        return {
            split: sorted({(key.sample_id, key.fold) for key in keys if key.repeat == 0})
            for split, keys in self.predicted.items()
        }

    @cached_property
    def targets(self) -> dict[str, float]:
        """Target values by id."""
        return self.data.read_targets(self.data.ids)

    def all_targets(self) -> np.ndarray:
        """Every target of the task, shape (n,)."""
        return np.array([self.targets[sample_id] for sample_id in self.data.ids])

    def train_means(self, seeds: Iterable[int]) -> dict[FitKey, float]:
        """Mean training target by fit."""
        return {fit.key(seed): mean for seed in seeds for fit, mean in zip(self.fits, self._means, strict=True)}

    @cached_property
    def _means(self) -> list[float]:
        return [float(np.mean([self.targets[sample_id] for sample_id in fit.train])) for fit in self.fits]

    @cached_property
    def train_range(self) -> float:
        """Maximum minus minimum of the targets that are learnt from."""
        return float(np.ptp([self.targets[sample_id] for sample_id in learning_ids(self.fits)]))

    @cached_property
    def base_pins(self) -> dict[str, str]:
        """sha256 of the columns that define what is asked; runs are comparable where these are equal."""
        return self.data.pins((), self.protocol.reads_folds)

    def pin(self, column: str) -> str | None:
        """sha256 of what the rows of the task hold in a column; None where there is no such column."""
        if column not in self._pins:
            self._pins[column] = self.data.pin(column) if column in self.data.dataset.columns else None
        return self._pins[column]

    @cached_property
    def _pins(self) -> dict[str, str | None]:
        return {}

    @cached_property
    def folds(self) -> Folds:
        """The fold of each sample of the split that ranks, and rows predicted over rows learnt from."""
        ratios = [len(fit.predicted[self.main]) / len(fit.train) for fit in self.fits if self.main in fit.predicted]
        return Folds(np.array([fold for _, fold in self._rows[self.main]]), float(np.mean(ratios)))

    def shared(self, split: str, sample: Sample) -> Sample:
        """The same, with the targets and clusters that all runs share: a board of thousands holds them once."""
        known = self._truth.setdefault(split, sample)
        return replace(sample, target=known.target, clusters=known.clusters)

    @cached_property
    def _truth(self) -> dict[str, Sample]:
        return {}


@dataclass(frozen=True)
class References:
    """Loads each task once, for the runs that share it.

    Attributes:
        data_dir: where datasets that are not packaged are.
        downloads: whether datasets that runs name are fetched from the Hub; a run may be a stranger's.
    """

    data_dir: Path | None = None
    downloads: bool = False
    _loaded: dict[tuple[str, str], TaskData] = field(default_factory=dict, repr=False)
    _known: dict[tuple[str, str, str], Reference] = field(default_factory=dict, repr=False)

    def is_absent(self, task: str) -> bool:
        """Whether a task's data are not here, so that nothing can be recomputed."""
        folder = self.data_dir or default_data_dir()
        return find_task(task).dataset.presence(folder) not in ("packaged", "present")

    def how_to_get(self, task: str) -> str:
        """The command that brings a task's data."""
        dataset = find_task(task).dataset
        verb = "fetch" if dataset.presence(self.data_dir or default_data_dir()) == "downloadable" else "build"
        return f"{verb} {dataset.facts.id}"

    def get(self, source: str, split: str, protocol: str) -> Reference:
        """The reference of a task (id, folder or Hub address), split scheme and protocol.

        Raises:
            DataError: unknown task, split or protocol; data absent or changed.
        """
        key = (source, split, protocol)
        if key not in self._known:
            if (source, split) not in self._loaded:
                self._loaded[source, split] = load_task(
                    source, split=split, data_dir=self.data_dir, offline=not self.downloads
                )
            self._known[key] = Reference(self._loaded[source, split], PROTOCOLS.get(protocol))
        return self._known[key]
