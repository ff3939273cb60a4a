"""Predictors made from something else: a scikit-learn estimator, or a file of predictions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .errors import ModelError, unknown_name
from .inputs import INPUTS
from .predictor import RunContext

if TYPE_CHECKING:
    import pandas as pd
    from datasets import Dataset

# Feature sets by their usual names; any other input that has features is named by itself.
_FEATURE_SETS = {"pixels": "image", "composition": "formula"}


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
    """Read `id,prediction` from csv, parquet or json (records, columns, or a mapping).

    Raises:
        ModelError: columns are missing, an id occurs twice, or a prediction is not a number.
    """
    frame = _read_frame(path)
    if not {"id", "prediction"} <= set(frame.columns):
        raise ModelError(f"{path} needs the columns id and prediction (found: {', '.join(map(str, frame.columns))}).")
    ids = frame["id"].astype(str)
    if twice := sorted(set(ids[ids.duplicated()])):
        raise ModelError(f"{path} has more than one prediction for {_some(twice)}; keep one row per id.")
    try:
        values = frame["prediction"].astype(float)
    except (TypeError, ValueError) as error:
        raise ModelError(
            f"{path} holds a prediction that is not a number ({error}); write NaN for a failed one."
        ) from error
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


def _read_frame(path: Path) -> pd.DataFrame:
    import pandas as pd

    try:
        if path.suffix == ".csv":
            return pd.read_csv(path, dtype={"id": str})
        if path.suffix == ".parquet":
            return pd.read_parquet(path)
        content = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(content, dict) and set(content) != {"id", "prediction"}:
            content = [{"id": key, "prediction": value} for key, value in content.items()]
        return pd.DataFrame(content)
    except Exception as error:
        raise ModelError(f"{path} cannot be read as {path.suffix[1:]} ({type(error).__name__}: {error}).") from error
