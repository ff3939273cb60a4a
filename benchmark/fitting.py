"""One fit: what a predictor is handed, and what it answers."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import BaseModel, ConfigDict

from .errors import ModelError
from .metrics import Kind
from .model import LoadedModel, Model
from .predictor import RunContext
from .predictor_calls import call, checked_predictions, counted_warnings, mapping
from .results import Amount, Count, Curve, plain, thinned
from .scoring import usable

if TYPE_CHECKING:
    from datasets import Dataset

Values = list[float | None]


@dataclass(frozen=True)
class FitJob:
    """What a fit is handed: rows, and nothing that leads to other ones.

    Attributes:
        train: rows to learn from, with targets.
        validation: rows to stop or choose by, with targets.
        predicted: rows to predict, by split.
        main_split: the split that ranks.
        altered: its rows as probes alter them, by probe.
        probes: whether a predictor that alters its inputs itself is to do so.
    """

    train: Dataset = field(repr=False)
    validation: Dataset = field(repr=False)
    predicted: Mapping[str, Dataset] = field(repr=False)
    main_split: str
    altered: Mapping[str, Dataset] = field(default_factory=dict, repr=False)
    probes: bool = False


class FitAnswer(BaseModel):
    """What a fit answers, in the order of the rows it was handed; None for a prediction that cannot be scored.

    Attributes:
        predictions: by split.
        stages: by stage and split, for a model that is trained in stages.
        probes: of the split that ranks, by probe.
        deviations: standard deviations that the model states, by split.
        statuses: what it says of single rows, by split.
        curves: its learning curves.
        info: what it says of itself.
        usage: what it took of a service.
        notes: sentences for readers of the result.
        warnings: how often Python was asked to warn, by category and text.
        seconds_fit: seconds that fitting took.
        seconds_predict: seconds that predicting took.
        service: what the service's bounds have become, as its `state` says.
    """

    model_config = ConfigDict(extra="forbid")

    predictions: dict[str, Values]
    stages: dict[str, dict[str, Values]] = {}
    probes: dict[str, Values] = {}
    deviations: dict[str, Values] = {}
    statuses: dict[str, list[str | None]] = {}
    curves: list[Curve] = []
    info: dict[str, Any] = {}
    usage: dict[str, Any] | None = None
    notes: list[str] = []
    warnings: dict[str, Count] = {}
    seconds_fit: Amount
    seconds_predict: Amount
    service: dict[str, Any] | None = None


def run_fit(loaded: LoadedModel, job: FitJob, context: RunContext) -> FitAnswer:
    """Fit a fresh predictor and predict.

    Args:
        loaded: the model.
        job: the rows.
        context: what the predictor may know; `context.seed` is the seed.

    Raises:
        ModelError: the predictor raised, or returned something other than one number per row.
    """
    random.seed(context.seed)
    np.random.seed(context.seed)  # noqa: NPY002 - for models that use the global generator
    with counted_warnings() as warned:
        answer = _answer(loaded.model, loaded.create(), job, context)
    return answer.model_copy(update={"warnings": dict(warned)})


def _answer(model: Model, predictor: Any, job: FitJob, context: RunContext) -> FitAnswer:
    start = time.perf_counter()
    call(model, "fit", partial(predictor.fit, job.train, job.validation, context))
    fitted = time.perf_counter()
    said: dict[str, dict[str, Any]] = {name: {} for name in ("predictions", "stages", "deviations", "statuses")}
    probes: dict[str, Values] = {}
    for split, rows in job.predicted.items():
        _predict(model, predictor, context.kind, split, rows, said)
        if split == job.main_split:
            probes = dict(_probe(model, predictor, context.kind, job))
    done = time.perf_counter()
    if partly := [stage for stage, values in said["stages"].items() if set(values) != set(job.predicted)]:
        raise ModelError(f"{model.name} predicted the stage '{partly[0]}' of some splits only; predict it of all.")
    state = getattr(context.service, "state", None)
    return FitAnswer(
        **said,
        probes=probes,
        curves=call(model, "curves", lambda: _curves_of(predictor)),
        info=call(model, "info", lambda: plain(mapping(model, predictor, "info"))),
        usage=call(model, "usage", lambda: plain(mapping(model, predictor, "usage"))) or None,
        notes=[str(note) for note in context.notes],
        seconds_fit=round(fitted - start, 3),
        seconds_predict=round(done - fitted, 3),
        service=state() if callable(state) else None,
    )


def preview_fit(loaded: LoadedModel, job: FitJob, context: RunContext) -> Iterator[dict[str, Any]]:
    """Every request of a fit, as the model's `preview` gives them; nothing is sent."""
    model, predictor = loaded.model, loaded.create()
    call(model, "fit", partial(predictor.fit, job.train, job.validation, context))
    yield from call(model, "preview", partial(predictor.preview, job.predicted[job.main_split], job.probes))


def _predict(
    model: Model, predictor: Any, kind: Kind, split: str, rows: Dataset, said: dict[str, dict[str, Any]]
) -> None:
    said["predictions"][split] = _values(model, "predict", partial(predictor.predict, rows), rows, kind)
    statuses = mapping(model, predictor, "predict_status", rows)
    if statuses:
        said["statuses"][split] = [str(statuses[m]) if m in statuses else None for m in rows["id"]]
    for stage, raw in mapping(model, predictor, "predict_stages", rows).items():
        said["stages"].setdefault(stage, {})[split] = _scorable(model.name, raw, len(rows), kind)
    if callable(getattr(predictor, "predict_std", None)):
        raw = call(model, "predict_std", partial(predictor.predict_std, rows))
        if raw is not None:
            found = _scorable(model.name, raw, len(rows), "regression")
            if any(value is not None and value < 0 for value in found):
                raise ModelError(f"{model.name} gave a negative standard deviation; predict_std must not return one.")
            said["deviations"][split] = found


def _probe(model: Model, predictor: Any, kind: Kind, job: FitJob) -> Iterator[tuple[str, Values]]:
    """Predictions of altered inputs, by name of the probe: the predictor's own, or of the rows that were altered."""
    rows = job.predicted[job.main_split]
    if job.probes and model.probes_itself:
        for probe, raw in mapping(model, predictor, "predict_probes", rows).items():
            yield probe, _scorable(model.name, raw, len(rows), kind)
    for probe, altered in job.altered.items():
        yield probe, _values(model, "predict", partial(predictor.predict, altered), altered, kind)


def _values(model: Model, step: str, function: Callable[[], Any], rows: Dataset, kind: Kind) -> Values:
    return _scorable(model.name, call(model, step, function), len(rows), kind)


def _scorable(name: str, raw: Any, n: int, kind: Kind) -> Values:
    """Checked predictions; None for one that cannot be scored."""
    values = checked_predictions(name, raw, n)
    good = usable(values, kind)
    return [value if fine else None for value, fine in zip(values.tolist(), good.tolist(), strict=True)]


def _curves_of(predictor: Any) -> Sequence[Curve]:
    curves = predictor.curves() if callable(getattr(predictor, "curves", None)) else []
    return [thinned(curve) for curve in curves if len(curve.train)]
