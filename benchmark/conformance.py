"""Does a model behave as a predictor? A suite of checks on a few real rows."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from .errors import EcdbenchError, ModelError
from .evaluator import Setting, make_context
from .feature_store import FeatureStore
from .loading import Code, import_code, load_model
from .model import Origin
from .predictor import RunContext
from .predictor_calls import call, checked_predictions
from .resolve import is_predictions_file
from .scoring import usable
from .task import TaskData

if TYPE_CHECKING:
    from datasets import Dataset

_ROWS = {"train": 40, "validation": 12, "holdout": 12}


@dataclass(frozen=True)
class Check:
    """The outcome of one check and, where it failed, what to do."""

    name: str
    outcome: Literal["passed", "failed", "not run"]
    remedy: str = ""


def check_predictor(
    model: Any, data: TaskData, device: str = "cpu", parameters: Mapping[str, Any] | None = None
) -> list[Check]:
    """Check on a few rows, in this process, that a model behaves as a predictor.

    Args:
        model: anything that `ecdbench.evaluate` takes.
        data: a task; its first rows are used.
        device: `cpu` or a torch device name.
        parameters: hyper-parameters.

    Returns:
        One entry per check, in order. After a failure the checks that build on it are `not run`.

    Raises:
        ModelError: the model cannot be found, or is a file of predictions.
    """
    origin = Origin(model, None, parameters or {}) if isinstance(model, str) else Origin("", model, parameters or {})
    if isinstance(model, str) and is_predictions_file(model):
        raise ModelError("A predictions file has no behaviour to check; `ecdbench evaluate` checks its ids.")
    code = import_code(origin)
    with tempfile.TemporaryDirectory() as folder:
        suite = _Suite(code, origin.parameters, data, device, Path(folder))
        results: list[Check] = []
        for name, check in suite.checks():
            if any(result.outcome == "failed" for result in results):
                results.append(Check(name, "not run"))
                continue
            try:
                check()
                results.append(Check(name, "passed"))
            except EcdbenchError as error:
                results.append(Check(name, "failed", str(error)))
            except Exception as error:  # noqa: BLE001 - the point is to see how the model fails
                results.append(Check(name, "failed", f"{type(error).__name__}: {error}"))
    return results


class _Suite:
    def __init__(self, code: Code, parameters: Mapping[str, Any], data: TaskData, device: str, folder: Path) -> None:
        self._code, self._parameters = code, parameters
        self._data, self._device, self._folder = data, device, folder
        self._names = {sample_id: str(number) for number, sample_id in enumerate(data.ids)}
        self._ids = {split: list(data.splits[split][:count]) for split, count in _ROWS.items()}

    def checks(self) -> list[tuple[str, Callable[[], None]]]:
        """Names and functions; a function raises where the model fails."""
        return [
            ("is built without arguments or work", self._builds),
            ("fits on train and validation", self._fits),
            ("predicts one finite number per row, without targets", self._predicts),
            ("predicts a single row", self._single),
            ("predicts by row, whatever the order", self._order),
            ("predicts the same twice", self._repeats),
            ("gives the same predictions for the same seed", self._seeded),
            ("leaves its inputs as they are", self._untouched),
            ("gives standard deviations, if it has predict_std", self._deviations),
        ]

    def _builds(self) -> None:
        self._model = load_model(self._code, self._parameters)
        self._data = self._data.only(self._model.model.inputs)

    def _fits(self) -> None:
        self._predictor = self._fitted(seed=0)

    def _predicts(self) -> None:
        self._first = self._predict(self._predictor, self._ids["holdout"])
        if bad := int((~usable(self._first, self._data.task.target.kind)).sum()):
            what = "are NaN or infinite" if self._data.task.target.kind == "regression" else "are not probabilities"
            raise ModelError(f"{bad} of {len(self._first)} predictions {what}; they would count as failed.")

    def _single(self) -> None:
        one = self._predict(self._predictor, self._ids["holdout"][:1])
        self._compare(one, self._first[:1], "a row alone and the same row among others; predict rows independently")

    def _order(self) -> None:
        backwards = self._predict(self._predictor, self._ids["holdout"][::-1])
        self._compare(backwards[::-1], self._first, "rows in another order; predict rows independently")

    def _repeats(self) -> None:
        again = self._predict(self._predictor, self._ids["holdout"])
        self._compare(again, self._first, "two calls of predict; leave out what is random in it")

    def _seeded(self) -> None:
        other = self._predict(self._fitted(seed=0), self._ids["holdout"])
        self._compare(other, self._first, "two fits with one seed; use context.seed for everything random", 1e-3)

    def _untouched(self) -> None:
        train, validation = (self._labelled(split) for split in ("train", "validation"))
        before = [np.asarray(part["target"]).copy() for part in (train, validation)]
        self._model.create().fit(train, validation, self._context(0))
        after = [np.asarray(part["target"]) for part in (train, validation)]
        if not all(np.array_equal(a, b) for a, b in zip(before, after, strict=True)):
            raise ModelError("The training data were changed in place; work on a copy.")

    def _deviations(self) -> None:
        if not hasattr(self._predictor, "predict_std"):
            return
        ids = self._ids["holdout"]
        raw = self._predictor.predict_std(self._data.table(ids, names=self._names))
        if raw is None:
            return
        values = checked_predictions(self._model.model.name, raw, len(ids))
        if not (values >= 0).all():
            raise ModelError("predict_std gave a negative or undefined standard deviation.")

    def _labelled(self, split: str) -> Dataset:
        ids = self._ids[split]
        return self._data.table(ids, self._data.targets(ids), self._names)

    def _fitted(self, seed: int) -> Any:
        np.random.seed(seed)  # noqa: NPY002 - for models that use the global generator
        predictor = self._model.create()
        train, validation = (self._labelled(split) for split in ("train", "validation"))
        call(self._model.model, "fit", partial(predictor.fit, train, validation, self._context(seed)))
        return predictor

    def _predict(self, predictor: Any, ids: list[str]) -> np.ndarray:
        model, rows = self._model.model, self._data.table(ids, names=self._names)
        return checked_predictions(model.name, call(model, "predict", partial(predictor.predict, rows)), len(ids))

    def _compare(self, one: np.ndarray, two: np.ndarray, what: str, tolerance: float = 1e-4) -> None:
        scale = np.ptp(two) + np.abs(two).max() + 1e-12
        if np.abs(one - two).max() > tolerance * scale:
            raise ModelError(f"Predictions differ between {what}.")

    def _context(self, seed: int) -> RunContext:
        work = Path(tempfile.mkdtemp(dir=self._folder))
        setting = Setting("fixed", [seed], self._device, self._folder, self._folder)
        return make_context(self._data, seed, work, self._folder, setting, FeatureStore(self._folder / "features"))
