"""Fits in this process, for debuggers, and for files of predictions, which are no code."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..adapters import PredictionsFile
from ..fitting import FitAnswer, FitJob, preview_fit, run_fit
from ..loading import import_code, load_model
from ..model import LoadedModel, Model, Origin
from ..predictor import RunContext
from .trace import Trace


class InProcess:
    """This process. Nothing is kept apart here: a model reaches whatever it looks for."""

    isolation = "none"

    def __init__(self) -> None:
        self._loaded: tuple[Origin, LoadedModel] | None = None

    def prepare(self) -> None:
        """Nothing has to be started here."""

    def describe(self, origin: Origin) -> Model:
        """What a model says of itself."""
        return self._load(origin).model

    def fit(self, model: Model, job: FitJob, context: RunContext) -> tuple[FitAnswer, Trace]:
        """Fit and predict; what was read and loaded is not known here."""
        return run_fit(self._of(model), job, context), Trace()

    def preview(self, model: Model, job: FitJob, context: RunContext) -> Iterator[dict[str, Any]]:
        """Every request of a fit."""
        return preview_fit(self._of(model), job, context)

    def _of(self, model: Model) -> LoadedModel:
        if model.predictions is not None:
            return LoadedModel(model, lambda: PredictionsFile(dict(model.predictions or {})))
        assert model.origin is not None
        return self._load(model.origin)

    def _load(self, origin: Origin) -> LoadedModel:
        if self._loaded is None or self._loaded[0] is not origin:
            self._loaded = origin, load_model(import_code(origin), origin.parameters)
        return self._loaded[1]
