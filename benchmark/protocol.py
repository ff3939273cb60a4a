"""Protocols: which rows are learnt from and which are predicted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .errors import DataError
from .task import TaskData

PROTOCOLS = ("fixed", "cv")


@dataclass(frozen=True)
class Fold:
    """One fit and its predictions.

    Attributes:
        number: 0 for the fixed protocol.
        train: ids learnt from.
        validation: ids for early stopping.
        predicted: ids to predict, by the split they are scored in.
    """

    number: int
    train: Sequence[str]
    validation: Sequence[str]
    predicted: Mapping[str, Sequence[str]]


def folds_of(data: TaskData, protocol: str) -> list[Fold]:
    """The folds of a protocol.

    `fixed`: fit on train, watch validation, predict all three splits. `cv`: over train and validation together;
    fold i is predicted, fold i + 1 is watched, the others are learnt from; the holdout is untouched.

    Raises:
        DataError: unknown protocol, or too few rows.
    """
    if protocol not in PROTOCOLS:
        raise DataError(f"There is no protocol '{protocol}'; there are fixed and cv.")
    if protocol == "fixed":
        folds = [Fold(0, data.splits["train"], data.splits["validation"], dict(data.splits))]
    else:
        folds = _cross_validation(data)
    if any(not fold.train or not fold.validation for fold in folds):
        raise DataError(f"{data.task.id} has too few rows for the protocol {protocol}.")
    return folds


def main_split(protocol: str) -> str:
    """The split whose score ranks: `holdout`, or `cv` for out-of-fold predictions."""
    return "holdout" if protocol == "fixed" else "cv"


def learning_ids(data: TaskData, protocol: str) -> Sequence[str]:
    """The ids whose targets set the scale of `rmse_over_range`."""
    return data.splits["train"] if protocol == "fixed" else [*data.splits["train"], *data.splits["validation"]]


def _cross_validation(data: TaskData) -> list[Fold]:
    pool = learning_ids(data, "cv")
    numbers = sorted({data.folds[material] for material in pool})
    folds = []
    for position, number in enumerate(numbers):
        watched = numbers[(position + 1) % len(numbers)]
        folds.append(
            Fold(
                number,
                [m for m in pool if data.folds[m] not in (number, watched)],
                [m for m in pool if data.folds[m] == watched],
                {"cv": [m for m in pool if data.folds[m] == number]},
            )
        )
    return folds
