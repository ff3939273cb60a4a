"""The two protocols of the benchmark: the fixed split, and cross-validation over train and validation."""

from __future__ import annotations

from ..task import TaskData
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
    """

    name = "cv"
    help = "10 folds over train and validation, holdout untouched"
    main_split = "cv"
    reads_folds = True
    overlaps = True
    order = 20

    def fits(self, data: TaskData) -> list[Fit]:
        """One fit per fold."""
        pool = [*data.splits["train"], *data.splits["validation"]]
        numbers = sorted({data.folds[sample_id] for sample_id in pool})
        members = {number: [m for m in pool if data.folds[m] == number] for number in numbers}
        fits = []
        for position, number in enumerate(numbers):
            watched = numbers[(position + 1) % len(numbers)]
            train = [m for m in pool if data.folds[m] not in (number, watched)]
            fits.append(Fit(number, train, members[watched], {"cv": members[number]}))
        return fits

    def describe(self, fits: int) -> str:
        """Names the number of folds."""
        return f"{fits}-fold cross-validation, out-of-fold predictions"
