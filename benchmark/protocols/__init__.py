"""Protocols: which rows are learnt from and which are predicted. Registered in the group `ecdbench.protocols`."""

from __future__ import annotations

import abc
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from ..errors import DataError
from ..registry import Registry
from ..task import TaskData


class FitKey(NamedTuple):
    """What tells the fits of a run apart.

    Attributes:
        seed: seed of everything random in the model.
        fold: number of the fold; 0 where there is one.
        size: share of the training rows that is learnt from, 1.0 for all.
    """

    seed: int
    fold: int
    size: float = 1.0


@dataclass(frozen=True)
class Fit:
    """One fit of a protocol and what it predicts; it is made once per seed.

    Attributes:
        fold: its number; 0 where there is one.
        train: ids learnt from.
        validation: ids for early stopping.
        predicted: ids to predict, by the split they are scored in.
        size: share of the training rows that is learnt from.
    """

    fold: int
    train: Sequence[str]
    validation: Sequence[str]
    predicted: Mapping[str, Sequence[str]]
    size: float = 1.0

    def key(self, seed: int) -> FitKey:
        """What the fit of one seed is kept under."""
        return FitKey(seed, self.fold, self.size)


class Protocol(abc.ABC):
    """A way to evaluate.

    Attributes:
        name: as on the command line.
        help: one line for help texts.
        main_split: the split whose score ranks.
        reads_folds: whether fits depend on the fold of a row.
        tests: the tests that compare two models on `main_split`, by their names in `benchmark.statistics`.
        order: position in lists, ascending.
    """

    name: str = ""
    help: str = ""
    main_split: str = ""
    reads_folds: bool = False
    tests: tuple[str, ...] = ("bootstrap",)
    order: int = 100

    @abc.abstractmethod
    def fits(self, data: TaskData) -> list[Fit]:
        """Every fit, without the seeds."""

    def describe(self, fits: int) -> str:
        """What is scored, as in the title of a table.

        Args:
            fits: how many fits a seed has.
        """
        return self.main_split

    def plan(self, data: TaskData) -> list[Fit]:
        """The fits of a task.

        Raises:
            DataError: the task has too few rows.
        """
        fits = self.fits(data)
        if not fits or any(not fit.train or not fit.validation for fit in fits):
            raise DataError(f"{data.task.id} has too few rows for the protocol {self.name}.")
        return fits


PROTOCOLS: Registry[Protocol] = Registry("ecdbench.protocols", "protocol")


def learning_ids(fits: Sequence[Fit]) -> list[str]:
    """The ids that any fit learns from; their targets set the scale of scores relative to the range."""
    return list(dict.fromkeys(sample_id for fit in fits for sample_id in fit.train))
