"""Protocols: which rows are learnt from and which are predicted. Registered in the group `ecdbench.protocols`."""

from __future__ import annotations

import abc
from collections.abc import Iterator, Mapping, Sequence
from copy import copy as copy_of
from dataclasses import dataclass
from operator import attrgetter
from types import MappingProxyType
from typing import NamedTuple

from ..errors import DataError, EcdbenchError, extension_error, unknown_name
from ..registry import Registry
from ..task import TaskData


class FitKey(NamedTuple):
    """What tells the fits of a run apart.

    Attributes:
        seed: seed of everything random in the model.
        fold: number of the fold; 0 where there is one.
        size: share of the training rows that is learnt from, 1.0 for all.
        repeat: number of the repetition; 0 where there is one.
    """

    seed: int
    fold: int
    size: float = 1.0
    repeat: int = 0


@dataclass(frozen=True)
class Fit:
    """One fit of a protocol and what it predicts; it is made once per seed.

    Attributes:
        fold: its number; 0 where there is one.
        train: ids learnt from.
        validation: ids for early stopping.
        predicted: ids to predict, by the split they are scored in.
        size: share of the training rows that is learnt from.
        repeat: number of the repetition; errors of a row are averaged over repetitions.
        label: what the fold holds out, where it has a name.
    """

    fold: int
    train: Sequence[str]
    validation: Sequence[str]
    predicted: Mapping[str, Sequence[str]]
    size: float = 1.0
    repeat: int = 0
    label: str = ""

    def rows(self) -> list[str]:
        """Ids of all its rows, each once."""
        return list(dict.fromkeys(m for ids in (self.train, self.validation, *self.predicted.values()) for m in ids))

    def key(self, seed: int) -> FitKey:
        """What the fit of one seed is kept under."""
        return FitKey(seed, self.fold, self.size, self.repeat)


class Protocol(abc.ABC):
    """A way to evaluate.

    Attributes:
        name: as on the command line, where options may follow it: `cv,repeats=3`.
        options: what may be chosen by name: a range of numbers or some words, of which the first is the default.
        help: one line for help texts.
        main_split: the split whose score ranks.
        reads_folds: whether fits depend on the fold of a row.
        recurs: whether several folds may predict a row; each of its predictions is scored then.
        overlaps: whether the training sets of the fits that predict `main_split` overlap.
        order: position in lists, ascending.
    """

    name: str = ""
    help: str = ""
    main_split: str = ""
    reads_folds: bool = False
    options: Mapping[str, range | tuple[str, ...]] = MappingProxyType({})
    recurs: bool = False
    overlaps: bool = False
    order: int = 100

    _chosen: Mapping[str, int | str] = MappingProxyType({})

    @property
    def spec(self) -> str:
        """The name with the options that were chosen, as in `cv,repeats=3`: it names runs, and finds the protocol."""
        return ",".join([self.name, *(f"{name}={value}" for name, value in sorted(self._chosen.items()))])

    def option(self, name: str) -> int | str:
        """The value of an option."""
        return self._chosen.get(name, self.options[name][0])

    def configured(self, given: Mapping[str, str]) -> Protocol:
        """The same protocol with options.

        Raises:
            DataError: there is no such option, or it does not have such a value.
        """
        for name, value in given.items():
            if name not in self.options:
                there = f"It has {', '.join(self.options)}." if self.options else "It has none."
                raise DataError(unknown_name(f"option of the protocol {self.name}", name, self.options, there))
            if value not in map(str, self.options[name]):
                raise DataError(f"{name} must be {_in_words(self.options[name])} (got {value!r})")
        chosen = {name: type(self.options[name][0])(value) for name, value in given.items()}
        copy = copy_of(self)
        copy._chosen = {name: value for name, value in chosen.items() if value != self.options[name][0]}
        return copy

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
        """The fits of a task, checked: what a fit learns from, it does not predict on the split that ranks, and no fit
        learns from the holdout.

        Raises:
            DataError: the task has too few rows, or the protocol failed or breaks these rules.
        """
        try:
            fits = list(self.fits(data))
        except EcdbenchError:
            raise
        except Exception as error:
            raise extension_error(f"The protocol {self.name}", error) from error
        ranked = [fit.predicted[self.main_split] for fit in fits if self.main_split in fit.predicted]
        if not fits or any(not fit.train or not fit.validation for fit in fits) or (ranked and not any(ranked)):
            rows = ", ".join(f"{len(ids)} in {split}" for split, ids in data.splits.items())
            raise DataError(f"{data.task.id} has too few rows for the protocol {self.name} ({rows}); it needs more.")
        if problem := next(self._problems(fits, data), None):
            raise DataError(f"The protocol {self.name} {problem}; correct it, or uninstall its package.")
        return fits

    def _problems(self, fits: Sequence[Fit], data: TaskData) -> Iterator[str]:
        known, holdout = set(data.ids), set(data.splits["holdout"])
        if odd := [fit for fit in fits if not (isinstance(fit.fold, int) and fit.fold >= 0 and 0 < fit.size <= 1)]:
            yield f"has the fold {odd[0].fold!r} of size {odd[0].size!r}; a fold is a number from 0, a size a share"
            return
        if not any(fit.predicted.get(self.main_split) for fit in fits if fit.size == 1):
            yield f"ranks by {self.main_split or 'no split'}, which no fit on all of its training rows predicts"
        if len({fit.key(0) for fit in fits}) < len(fits):
            yield "has two fits of the same fold and size"
        predicted: set[tuple[object, ...]] = set()
        for fit in fits:
            learnt = {*fit.train, *fit.validation}
            if learnt & holdout:
                yield f"learns from {min(learnt & holdout)}, a row of the holdout"
            if leaked := learnt & set(fit.predicted.get(self.main_split, ())):
                yield f"learns from {min(leaked)} and predicts it in the same fit"
            part = (fit.size, fit.repeat, fit.fold if self.recurs else 0)
            asked = [(*part, split, sample_id) for split, ids in fit.predicted.items() for sample_id in ids]
            if strange := {*learnt, *(str(key[-1]) for key in asked)} - known:
                yield f"uses {min(strange)}, which {data.task.id} does not have"
            if len(set(asked)) < len(asked) or predicted & set(asked):
                yield "predicts a row twice"
            predicted.update(asked)


class _Protocols(Registry[Protocol]):
    """The registered protocols, which are also found by a name with options."""

    def get(self, name: str) -> Protocol:
        """The protocol of a spec such as `cv` or `cv,repeats=3`. Raises DataError where there is none."""
        base, *options = name.split(",")
        given = {}
        for option in options:
            key, _, value = option.partition("=")
            if not value or key in given:
                problem = "is there twice" if value else "must be NAME=VALUE, as in cv,repeats=3"
                raise DataError(f"The option '{option}' of the protocol {base} {problem}.")
            given[key] = value
        return super().get(base).configured(given) if given else super().get(base)

    def __contains__(self, name: str) -> bool:
        try:
            return self.get(name).spec == name
        except DataError:
            return False


PROTOCOLS = _Protocols("ecdbench.protocols", "protocol", Protocol, attrgetter("name"))


def _in_words(allowed: range | tuple[str, ...]) -> str:
    if isinstance(allowed, range):
        return f"an integer from {allowed.start} to {allowed.stop - 1}"
    return f"one of {', '.join(allowed)}"


def learning_ids(fits: Sequence[Fit]) -> list[str]:
    """The ids that any fit learns from; their targets set the scale of scores relative to the range."""
    return list(dict.fromkeys(sample_id for fit in fits for sample_id in fit.train))
