"""Predictors made from something else: a scikit-learn estimator, or a file of predictions."""

from __future__ import annotations

import csv
import io
import json
import math
import reprlib
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from .errors import EcdbenchError, ModelError, unknown_name
from .inputs import INPUTS
from .predictor import RunContext
from .unpacking import kind_of, open_unpacked

if TYPE_CHECKING:
    from datasets import Dataset

# Feature sets by their usual names; any other input that has features is named by itself.
_FEATURE_SETS = {"pixels": "image", "composition": "formula"}
_DELIMITERS = {".csv": ",", ".tsv": "\t"}
# How a predictions file may write that a prediction failed, other than as NaN; in any case.
_FAILED = ("", "na", "n/a", "null", "none")


def input_of(features: str) -> str:
    """The input that a set of features is made from.

    Raises:
        ModelError: there is no such set.
    """
    name = _FEATURE_SETS.get(str(features), str(features))
    if name not in INPUTS:
        known = [*_FEATURE_SETS, *(name for name in INPUTS.names() if name not in _FEATURE_SETS.values())]
        raise ModelError(unknown_name("feature set", str(features), known, f"Available: {', '.join(known)}."))
    return name


class SklearnPredictor:
    """A scikit-learn estimator on fixed features.

    On a binary target a classifier gives the probability of the positive class; a regressor is fitted to 0 and 1, and
    its predictions are clipped to [0, 1].

    Args:
        estimator: any estimator with `fit(X, y)` and `predict(X)`; each fit works on a clone.
        features: `pixels` (grey levels), `composition` (element statistics), or an input that has features, such as
            `density` (slice values, e/A^3).
    """

    def __init__(self, estimator: Any, features: str = "pixels") -> None:
        self.estimator = estimator
        self.inputs = (input_of(features),)

    def fit(self, train: Dataset, validation: Dataset, context: RunContext) -> None:
        """Fit a clone on the training rows; a `random_state` parameter is set to the run's seed."""
        from sklearn.base import clone

        self._fitted = clone(self.estimator)
        if "random_state" in self._fitted.get_params():
            self._fitted.set_params(random_state=context.seed)
        self._binary = context.kind == "classification"
        target = np.asarray(train["target"])
        classifies = self._binary and hasattr(self._fitted, "predict_proba")
        self._fitted.fit(self._matrix(train), target.astype(int) if classifies else target)

    def predict(self, data: Dataset) -> np.ndarray:
        """Predict, shape (n,)."""
        matrix = self._matrix(data)
        if not self._binary:
            return np.asarray(self._fitted.predict(matrix))
        if hasattr(self._fitted, "predict_proba"):
            positive = np.asarray(self._fitted.classes_) == 1
            return np.asarray(self._fitted.predict_proba(matrix))[:, positive].sum(axis=1)
        return np.clip(self._fitted.predict(matrix), 0, 1)

    def _matrix(self, data: Dataset) -> np.ndarray:
        (name,) = self.inputs
        if name not in data.column_names:
            raise ModelError(f"this model needs the input {name}, which the dataset does not have.")
        return INPUTS.get(name).vectors(data[name])


class PredictionsFile:
    """Predictions made elsewhere, by id. NaN stands for a failed prediction.

    Args:
        predictions: value by id.
    """

    inputs = ("id",)

    def __init__(self, predictions: dict[str, float]) -> None:
        self.predictions = predictions

    def fit(self, train: Dataset, validation: Dataset, context: RunContext) -> None:
        """Nothing is learnt."""

    def predict(self, data: Dataset) -> np.ndarray:
        """Look up, shape (n,)."""
        return np.array([self.predictions[sample_id] for sample_id in data["id"]])


def read_predictions(path: Path) -> dict[str, float]:
    """Read `id` and `prediction` from csv, tsv, parquet, json (records, columns, or a mapping) or jsonl (records), also
    compressed. Ids are text, whatever they look like.

    Raises:
        ModelError: columns are missing, a column or an id occurs twice, or a prediction is not a number.
        DataError: the file is compressed and damaged.
    """
    columns = _read_columns(path)
    ids: list[str] = []
    values: list[float] = []
    if len(columns["id"]) != len(columns["prediction"]):
        counts = f"{len(columns['id'])} ids and {len(columns['prediction'])} predictions"
        raise ModelError(f"{path} has {counts}; give one prediction for each id.")
    for sample_id, value in zip(columns["id"], columns["prediction"], strict=True):
        if isinstance(sample_id, bool) or not isinstance(sample_id, (str, int)):
            raise ModelError(f"{path} has the id {sample_id}, which is no text; write it in quotes.")
        ids.append(str(sample_id))
        try:
            values.append(_number(value))
        except (TypeError, ValueError, OverflowError) as error:
            raise ModelError(
                f"{path} predicts {reprlib.repr(value)} for {sample_id}, which is not a number; write NaN if it failed."
            ) from error
    if twice := _repeated(ids):
        raise ModelError(f"{path} has more than one prediction for {_some(twice)}; keep one row per id.")
    return dict(zip(ids, values, strict=True))


def check_ids(predicted: frozenset[str], scored: list[str], known: list[str]) -> None:
    """Refuse a predictions file that lacks ids to be scored, or has ids the task does not know.

    Raises:
        ModelError: naming the ids.
    """
    if unknown := sorted(predicted - set(known)):
        raise ModelError(f"The predictions file has ids that the task does not have: {_some(unknown)}. Remove them.")
    if missing := sorted(set(scored) - predicted):
        raise ModelError(
            f"The predictions file lacks {_some(missing)}; give every id that is scored, NaN for a failed prediction."
        )


def _some(ids: list[str]) -> str:
    shown = ", ".join(ids[:5])
    return f"{shown} and {len(ids) - 5} more" if len(ids) > 5 else shown


def _repeated(names: Iterable[str]) -> list[str]:
    return sorted(name for name, count in Counter(names).items() if count > 1)


def _number(value: Any) -> float:
    if isinstance(value, bool):
        raise TypeError
    return math.nan if value is None or str(value).strip().lower() in _FAILED else float(value)


def _read_columns(path: Path) -> dict[str, Sequence[Any]]:
    """The columns of a predictions file by name, `id` and `prediction` among them."""
    kind, only_once = kind_of(path), partial(_only_once, path)
    try:
        with open_unpacked(path) as file:
            if kind in _DELIMITERS:
                text = io.TextIOWrapper(file, "utf-8-sig", newline="")
                columns = _from_cells(csv.reader(text, delimiter=_DELIMITERS[kind], strict=True))
            elif kind == ".parquet":
                columns = _from_parquet(file)
            elif kind == ".json":
                columns = _from_json(json.load(file, object_pairs_hook=only_once))
            else:
                columns = _from_json([json.loads(line, object_pairs_hook=only_once) for line in file if line.strip()])
    except EcdbenchError:
        raise
    except Exception as error:
        raise ModelError(f"{path} cannot be read as {kind[1:]} ({type(error).__name__}: {error}).") from error
    names = [name for name, _ in columns]
    if twice := _repeated(names):
        raise ModelError(f"{path} has the column {_some(twice)} more than once; keep one.")
    if not {"id", "prediction"} <= set(names):
        raise ModelError(f"{path} needs the columns id and prediction (found: {', '.join(names)}).")
    return dict(columns)


def _from_cells(reader: Iterable[list[str]]) -> list[tuple[str, Sequence[Any]]]:
    lines = [[cell.strip() for cell in row] for row in reader if row]
    if not lines:
        raise ValueError("it is empty")
    header, *rows = lines
    if odd := next((row for row in rows if len(row) != len(header)), None):
        raise ValueError(f"{len(odd)} cells under a header of {len(header)}: {', '.join(odd)[:60]}")
    return [(name, [row[number] for row in rows]) for number, name in enumerate(header)]


def _from_parquet(file: BinaryIO) -> list[tuple[str, Sequence[Any]]]:
    import pyarrow.parquet as pq

    table = pq.ParquetFile(io.BytesIO(file.read())).read()
    return [(name, column.to_pylist()) for name, column in zip(table.column_names, table.columns, strict=True)]


def _from_json(content: Any) -> list[tuple[str, Sequence[Any]]]:
    """Columns (lists, or values by row as pandas writes them), predictions by id, or records."""
    if isinstance(content, dict):
        columns = [(name, list(part.values()) if isinstance(part, dict) else part) for name, part in content.items()]
        if {"id", "prediction"} <= set(content) and all(isinstance(part, list) for _, part in columns):
            return columns
        return [("id", list(content)), ("prediction", list(content.values()))]
    for record in content:
        if not isinstance(record, dict) or not {"id", "prediction"} <= set(record):
            raise ValueError(f"{reprlib.repr(record)} is no record with id and prediction")
    return [(name, [record[name] for record in content]) for name in ("id", "prediction")]


def _only_once(path: Path, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if twice := _repeated(name for name, _ in pairs):
        raise ModelError(f"{path} has {_some(twice)} more than once in one object; keep one of each.")
    return dict(pairs)
