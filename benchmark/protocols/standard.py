"""The fixed split, cross-validation over train and validation, and learning curves."""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType

from ..task import TaskData, unit_interval
from . import Fit, Protocol


class FixedSplit(Protocol):
    """Fit on train, stop or choose by validation, predict all three splits; the holdout ranks."""

    name = "fixed"
    help = "the split"
    main_split = "holdout"
    order = 10

    def fits(self, data: TaskData) -> list[Fit]:
        """One fit."""
        return [Fit(0, data.splits["train"], data.splits["validation"], dict(data.splits))]


class CrossValidation(Protocol):
    """Folds over train and validation together; the holdout is untouched.

    Fold i is predicted, fold i + 1 is for early stopping, the others are learnt from; out-of-fold predictions rank.
    Repetitions deal the same rows to other folds, by hash.
    """

    name = "cv"
    help = "10 folds over train and validation, holdout untouched"
    main_split = "cv"
    reads_folds = True
    overlaps = True
    options = MappingProxyType({"repeats": range(1, 101)})
    order = 20

    def fits(self, data: TaskData) -> list[Fit]:
        """One fit per fold and repetition."""
        return [fit for repeat in range(int(self.option("repeats"))) for fit in _folds(data, repeat)]

    def describe(self, fits: int) -> str:
        """Names the number of folds and repetitions."""
        repeats = int(self.option("repeats"))
        repeated = f", {repeats} times" if repeats > 1 else ""
        return f"{fits // repeats}-fold cross-validation{repeated}, out-of-fold predictions"


class LearningCurve(Protocol):
    """Learn from an eighth, a quarter, half and all of the training rows, each part within the next; the holdout ranks.

    Validation rows, which only stop or choose, are the same for all sizes.
    """

    name = "learning-curve"
    help = "12.5, 25, 50 and 100 % of the training rows, the same holdout"
    main_split = "holdout"
    order = 30

    def fits(self, data: TaskData) -> list[Fit]:
        """One fit per size, the smallest first."""
        train = sorted(data.splits["train"], key=lambda sample_id: unit_interval("learning curve", sample_id))
        predicted = {"holdout": data.splits["holdout"]}
        return [
            Fit(0, train[: math.ceil(size * len(train))], data.splits["validation"], predicted, size)
            for size in (0.125, 0.25, 0.5, 1.0)
        ]


def _folds(data: TaskData, repeat: int) -> list[Fit]:
    pool = [*data.splits["train"], *data.splits["validation"]]
    folds = data.folds if repeat == 0 else _other_folds(data, pool, repeat)
    numbers = sorted({folds[sample_id] for sample_id in pool})
    members = {number: [m for m in pool if folds[m] == number] for number in numbers}
    fits = []
    for position, number in enumerate(numbers):
        watched = numbers[(position + 1) % len(numbers)]
        train = [m for m in pool if folds[m] not in (number, watched)]
        fits.append(Fit(number, train, members[watched], {"cv": members[number]}, repeat=repeat))
    return fits


def _other_folds(data: TaskData, pool: list[str], repeat: int) -> Mapping[str, int]:
    """Folds by hash; groups stay whole where the dataset's own folds keep them whole."""
    of_group: dict[str, set[int]] = {}
    for sample_id in pool:
        of_group.setdefault(data.groups[sample_id], set()).add(data.folds[sample_id])
    whole = all(len(folds) == 1 for folds in of_group.values())
    count = len({data.folds[sample_id] for sample_id in pool})
    keys = {sample_id: data.groups[sample_id] if whole else sample_id for sample_id in pool}
    return {sample_id: int(unit_interval(f"fold, repetition {repeat}", key) * count) for sample_id, key in keys.items()}
