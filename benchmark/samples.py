"""Predictions of a run as samples: beside their targets, a column for each row to be scored, a row for each seed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from .metrics import Sample
from .protocols import FitKey
from .scoring import make_sample
from .task import TaskData

if TYPE_CHECKING:
    import pandas as pd


def make_samples(
    data: TaskData,
    predictions: pd.DataFrame,
    train_means: Mapping[FitKey, float],
    targets: Mapping[str, float],
    scale: float,
) -> dict[str, Sample]:
    """Predictions beside targets, by split; see `split_name`.

    Args:
        data: the task the predictions are for.
        predictions: as `Run.predictions` gives them.
        train_means: mean training target by fit.
        targets: target values by id.
        scale: range of the training targets.

    Raises:
        ValueError: a prediction is missing or given twice.
    """
    splits = predictions["split"].to_numpy(object)
    keys = fit_keys(predictions)
    names = np.array([split_name(s, key.size) for s, key in zip(splits, keys, strict=True)], dtype=object)
    found = {}
    for name in dict.fromkeys(names):
        part = names == name
        of_part = [key for key, wanted in zip(keys, part, strict=True) if wanted]
        ids, column = _rows_scored(predictions["id"].to_numpy(object)[part], of_part)
        members, row = np.unique([(key.seed, key.repeat) for key in of_part], axis=0, return_inverse=True)
        shape = (len(members), len(ids))
        if len(of_part) != shape[0] * shape[1] or len(set(zip(row, column, strict=True))) < len(of_part):
            raise ValueError("a prediction is missing or given twice")
        prediction, baseline = np.empty(shape), np.empty(shape)
        prediction[row, column] = predictions["prediction"].to_numpy(float)[part]
        deviation = np.empty(shape) if "prediction_std" in predictions else None
        if deviation is not None:
            deviation[row, column] = predictions["prediction_std"].to_numpy(float)[part]
        baseline[row, column] = [train_means[key] for key in of_part]
        clusters = np.array([data.groups[sample_id] for sample_id in ids])
        values = np.array([targets[sample_id] for sample_id in ids])
        found[str(name)] = make_sample(values, prediction, baseline, clusters, scale, data.task.target.kind, deviation)
    return found


def split_name(split: str, size: float) -> str:
    """What scores of fits on a share of the training rows stand under: `holdout@0.5`, and `holdout` for all rows."""
    return split if size == 1 else f"{split}@{size:g}"


def fit_keys(predictions: pd.DataFrame) -> list[FitKey]:
    """The fit that made each prediction."""
    usual = {"size": 1.0, "repeat": 0}
    columns = [
        predictions[name].tolist() if name in predictions else [usual[name]] * len(predictions)
        for name in FitKey._fields
    ]
    return [FitKey(*key) for key in zip(*columns, strict=True)]


def _rows_scored(ids: np.ndarray, keys: Sequence[FitKey]) -> tuple[np.ndarray, np.ndarray]:
    """The ids of the rows of a sample in order, and the row of each prediction. Where several folds predict an id, it
    has a row for each of them, in the order of the folds."""
    known, column = np.unique(ids, return_inverse=True)
    once = {(key.seed, key.repeat) for key in keys}
    if len(ids) == len(known) * len(once):
        return known, column
    first = next(iter(once), None)
    rows = sorted((m, key.fold) for m, key in zip(ids, keys, strict=True) if (key.seed, key.repeat) == first)
    position = {row: number for number, row in enumerate(rows)}
    try:
        column = np.array([position[m, key.fold] for m, key in zip(ids, keys, strict=True)])
    except KeyError as error:
        raise ValueError("a prediction is missing or given twice") from error
    return np.array([m for m, _ in rows], dtype=object), column
