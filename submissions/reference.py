"""What runs are scored against: targets and folds of each task and protocol, read once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from pathlib import Path

import numpy as np

from ..benchmark.evaluator import train_range
from ..benchmark.protocol import Fold, folds_of, main_split
from ..benchmark.scoring import Scored
from ..benchmark.task import TaskData
from ..tasks.catalogue import find_task
from ..tasks.load import default_data_dir, load_task

Place = tuple[int, str, str]


@dataclass(frozen=True)
class Reference:
    """A task's data under one protocol.

    Attributes:
        data: the task.
        protocol: `fixed` or `cv`.
    """

    data: TaskData
    protocol: str

    @property
    def main(self) -> str:
        """The split that ranks."""
        return main_split(self.protocol)

    @cached_property
    def folds(self) -> dict[int, Fold]:
        """Folds by number."""
        return {fold.number: fold for fold in folds_of(self.data, self.protocol)}

    @cached_property
    def places(self) -> Mapping[str, frozenset[Place]]:
        """The (fold, split, id) that a whole run predicts, by split."""
        found: dict[str, set[Place]] = {}
        for fold in self.folds.values():
            for split, ids in fold.predicted.items():
                found.setdefault(split, set()).update((fold.number, split, material) for material in ids)
        return {split: frozenset(places) for split, places in found.items()}

    @cached_property
    def ids(self) -> dict[str, list[str]]:
        """Ids by split, in the order in which runs are scored."""
        return {split: sorted({material for _, _, material in places}) for split, places in self.places.items()}

    def shared(self, split: str, scored: Scored) -> Scored:
        """The same, with targets and clusters that all runs share: a board of thousands holds them once."""
        known = self._truth.setdefault(split, scored)
        return replace(scored, target=known.target, clusters=known.clusters)

    @cached_property
    def _truth(self) -> dict[str, Scored]:
        return {}

    @cached_property
    def train_means(self) -> dict[int, float]:
        """Mean training target by fold."""
        return {number: float(np.mean(self.data.targets(fold.train))) for number, fold in self.folds.items()}

    @cached_property
    def train_range(self) -> float:
        """Maximum minus minimum of the targets that are learnt from."""
        return train_range(self.data, self.protocol)

    @cached_property
    def target_hashes(self) -> dict[str, str]:
        """The hash that ties a prediction to its target, by id."""
        ids = self.data.ids
        return {m: self.data.target_hash(m, t) for m, t in zip(ids, self.data.targets(ids).tolist(), strict=True)}


@dataclass(frozen=True)
class References:
    """Loads each task once, for the runs that share it.

    Targets are kept in memory: nothing that predicts runs here.

    Attributes:
        data_dir: where datasets that are not packaged are.
    """

    data_dir: Path | None = None
    _loaded: dict[tuple[str, str], TaskData] = field(default_factory=dict, repr=False)
    _known: dict[tuple[str, str, str], Reference] = field(default_factory=dict, repr=False)

    def is_absent(self, task: str) -> bool:
        """Whether a task's data are not here, so that nothing can be recomputed."""
        folder = self.data_dir or default_data_dir()
        return find_task(task).dataset.presence(folder) not in ("packaged", "present")

    def how_to_get(self, task: str) -> str:
        """The command that brings a task's data."""
        module = find_task(task).dataset
        verb = "fetch" if module.presence(self.data_dir or default_data_dir()) == "downloadable" else "build"
        return f"{verb} {module.FACTS.id}"

    def of(self, place: str, split: str, protocol: str) -> Reference:
        """The reference of a task (id, folder or Hub address), split scheme and protocol.

        Raises:
            DataError: unknown task, split or protocol; data absent or changed.
        """
        key = (place, split, protocol)
        if key not in self._known:
            if (place, split) not in self._loaded:
                data = load_task(place, split=split, data_dir=self.data_dir)
                self._loaded[place, split] = replace(data, _read_targets=cache(data._read_targets))
            self._known[key] = Reference(self._loaded[place, split], protocol)
        return self._known[key]
