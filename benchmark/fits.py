"""Fits: one seed of one fold, and the store that makes sure a finished one is never run twice."""

from __future__ import annotations

import contextlib
import hashlib
import json
import random
import shutil
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock, Timeout
from pydantic import BaseModel, ValidationError

from .credentials import redact
from .environment import package_versions
from .errors import ModelError
from .predictor import RunContext
from .predictor_calls import by_id, call, mapping
from .probes import VERSION, probe_predictions
from .protocols import Fit, FitKey
from .resolve import Model
from .results import Curve, FitRecord, plain, thinned
from .source import source_of
from .storage import write_text
from .task import TaskData

Predictions = dict[str, dict[str, float | None]]
Targets = Callable[[Sequence[str]], np.ndarray]
NOT_ASKED = "not asked"  # the status of a row that a limit leaves out
ERROR = "error"  # the status of a row whose question could not be answered this time


@dataclass(frozen=True)
class Extent:
    """How much is predicted.

    Attributes:
        main_split: the split that ranks.
        limit: only the first so many rows of each split; None for all.
        probes: also predict altered inputs of the split that ranks.
    """

    main_split: str
    limit: int | None = None
    probes: bool = False


class FitOutputs(BaseModel):
    """What a fit produced.

    Attributes:
        learnt: a hash of the ids that it learnt from.
        record: seed, fold, time and what the predictor says of itself.
        predictions: by split and id; None for a failed one.
        stages: the same by stage, for a model that is trained in stages.
        probes: the same by probe.
        deviations: standard deviations that the model states, by split and id.
        statuses: what it says of single rows, by split and id.
        curves: its learning curves.
    """

    learnt: str
    record: FitRecord
    predictions: Predictions
    stages: dict[str, Predictions] = {}
    probes: dict[str, Predictions] = {}
    deviations: Predictions = {}
    statuses: dict[str, dict[str, str]] = {}
    curves: list[Curve] = []

    @property
    def is_final(self) -> bool:
        """Whether running the fit again would give the same: no row met an error that may pass."""
        return all(status != ERROR for by_row in self.statuses.values() for status in by_row.values())


def cache_key(
    model: Model, data: TaskData, protocol: str, reads_folds: bool, device: str, extent: Extent
) -> str | None:
    """What a fit depends on besides its key, as a hash; None where the model's source is unknown."""
    try:
        json.dumps(dict(model.parameters))
    except (TypeError, ValueError):
        return None  # an array or a function has no text that says all of it
    if model.source is None:
        return None
    parts = {
        "task": [data.task.id, *vars(data.task.target).values()],
        "columns": data.pins(data.inputs, reads_folds),
        "inputs": {name: source_of(type(one)) or type(one).__qualname__ for name, one in data.inputs.items()},
        "scheme": data.options.scheme,
        "protocol": protocol,
        "model": [model.spec.rpartition(":")[2], model.source, repr(sorted(model.parameters.items()))],
        "fingerprint": plain(mapping(model, model.create(), "fingerprint")),
        "device": device,
        "extent": vars(extent) | ({"probes": VERSION} if extent.probes else {}),
        "packages": package_versions(),
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


class FitStore:
    """Finished fits of one model, task and protocol in a folder.

    The file of a fit is written last and atomically; a folder without it is what an interrupt left, and is emptied.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, key: FitKey) -> Path:
        """The folder of one fit."""
        return self.folder / folder_name(key)

    def read(self, key: FitKey, fit: Fit) -> FitOutputs | None:
        """What a finished fit produced, or None where it is not finished, learnt from other rows, or its file is
        damaged."""
        file = self.path(key) / "fit.json"
        if not file.is_file():
            return None
        try:
            outputs = FitOutputs.model_validate_json(file.read_bytes())
        except ValidationError:
            return None
        expected = {split: set(ids) for split, ids in fit.predicted.items()}
        found = {split: set(values) for split, values in outputs.predictions.items()}
        return outputs if found == expected and outputs.learnt == _rows_learnt(fit) else None

    def clear(self, keys: Iterable[FitKey]) -> None:
        """Forget fits, and what their folds share; not one that another process is running now."""
        for key in keys:
            with contextlib.suppress(Timeout), self.lock(key).acquire(blocking=False):
                shutil.rmtree(self.path(key), ignore_errors=True)
                shutil.rmtree(self.shared_by_seeds(key), ignore_errors=True)

    def shared_by_seeds(self, key: FitKey) -> Path:
        """A folder for the seeds of one fold. Folds share none: the targets one learns from, another predicts."""
        folder = self.folder / f"cache_{folder_name(key).partition('_')[2]}"
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def lock(self, key: FitKey) -> FileLock:
        """Held while a fit runs, so that the same command given twice at once shares the work."""
        self.folder.mkdir(parents=True, exist_ok=True)
        return FileLock(f"{self.path(key)}.lock")

    def start(self, key: FitKey) -> Path:
        """An empty work folder for a fit."""
        shutil.rmtree(self.path(key), ignore_errors=True)
        work = self.path(key) / "work"
        work.mkdir(parents=True)
        return work

    def write(self, outputs: FitOutputs) -> None:
        """Mark a fit as finished."""
        write_text(self.path(outputs.record.key) / "fit.json", redact(outputs.model_dump_json()))


def folder_name(key: FitKey) -> str:
    """What the folder of a fit is called, as in `seed-0_fold-3`."""
    size = f"_size-{key.size:g}" if key.size != 1 else ""
    return f"seed-{key.seed}_fold-{key.fold}{size}" + (f"_repeat-{key.repeat}" if key.repeat else "")


def run_fit(
    model: Model, data: TaskData, fit: Fit, context: RunContext, extent: Extent, targets: Targets
) -> FitOutputs:
    """Fit a fresh predictor and predict.

    Args:
        model: the model.
        data: the task, with the inputs that the model is handed.
        fit: the rows.
        context: what the predictor may know; `context.seed` is the seed.
        extent: how much is predicted.
        targets: from ids to target values, shape (n,); asked for training and validation rows only.

    Raises:
        ModelError: the predictor raised, or returned something other than one number per row.
    """
    random.seed(context.seed)
    np.random.seed(context.seed)  # noqa: NPY002 - for models that use the global generator
    predictor = model.create()
    learnt = targets(fit.train)
    train, validation = data.table(fit.train, learnt), data.table(fit.validation, targets(fit.validation))
    start = time.perf_counter()
    call(model, "fit", partial(predictor.fit, train, validation, context))
    fitted = time.perf_counter()
    collected: dict[str, dict[str, Any]] = {
        name: {} for name in ("predictions", "stages", "probes", "deviations", "statuses")
    }
    for split, ids in fit.predicted.items():
        _predict_split(model, predictor, data, split, ids[: extent.limit], collected)
        if extent.probes and split == extent.main_split:
            found = probe_predictions(model, predictor, data, ids[: extent.limit], fit.train)
            kind = data.task.target.kind
            collected["probes"] = {
                probe: {split: by_id(model.name, values, ids[: extent.limit], kind)} for probe, values in found.items()
            }
    done = time.perf_counter()
    if partly := [stage for stage, values in collected["stages"].items() if set(values) != set(fit.predicted)]:
        raise ModelError(f"{model.name} predicted the stage '{partly[0]}' of some splits only; predict it of all.")
    _fill(collected, fit, extent.limit)
    record = FitRecord(
        seed=context.seed,
        fold=fit.fold,
        size=fit.size,
        repeat=fit.repeat,
        n_train=len(fit.train),
        train_mean=float(np.mean(learnt)),
        seconds_fit=round(fitted - start, 3),
        seconds_predict=round(done - fitted, 3),
        info=call(model, "info", lambda: plain(mapping(model, predictor, "info"))),
        usage=call(model, "usage", lambda: plain(mapping(model, predictor, "usage"))) or None,
        notes=[str(note) for note in context.notes],
    )
    curves = call(model, "curves", lambda: _curves_of(predictor))
    return FitOutputs(
        learnt=_rows_learnt(fit),
        record=record,
        curves=curves,
        **collected,
    )


def _rows_learnt(fit: Fit) -> str:
    """A hash of the rows that a fit learns from, so that a changed protocol makes no use of what was kept before."""
    return hashlib.sha256(json.dumps([list(fit.train), list(fit.validation)]).encode()).hexdigest()


def _curves_of(predictor: Any) -> list[Curve]:
    curves = predictor.curves() if callable(getattr(predictor, "curves", None)) else []
    return [thinned(curve) for curve in curves if len(curve.train)]


def _predict_split(
    model: Model, predictor: Any, data: TaskData, split: str, ids: Sequence[str], collected: dict[str, dict[str, Any]]
) -> None:
    rows, kind = data.table(ids), data.task.target.kind
    values = call(model, "predict", partial(predictor.predict, rows))
    collected["predictions"][split] = by_id(model.name, values, ids, kind)
    statuses = mapping(model, predictor, "predict_status", rows)
    collected["statuses"][split] = {m: str(statuses[m]) for m in ids if m in statuses}
    for stage, values in mapping(model, predictor, "predict_stages", rows).items():
        collected["stages"].setdefault(stage, {})[split] = by_id(model.name, values, ids, kind)
    if callable(getattr(predictor, "predict_std", None)):
        deviations = call(model, "predict_std", partial(predictor.predict_std, rows))
        if deviations is not None:
            found = by_id(model.name, deviations, ids, "regression")
            if any(value is not None and value < 0 for value in found.values()):
                raise ModelError(f"{model.name} gave a negative standard deviation; predict_std must not return one.")
            collected["deviations"][split] = found


def _fill(collected: dict[str, dict[str, Any]], fit: Fit, limit: int | None) -> None:
    """Add the rows that a limit leaves out, as failed predictions that say so."""
    for split, ids in fit.predicted.items():
        left_out = ids[len(ids[:limit]) :]
        tables = [collected["predictions"], collected["deviations"]]
        tables += [*collected["stages"].values(), *collected["probes"].values()]
        for table in tables:
            if split in table:
                table[split] |= dict.fromkeys(left_out)
        collected["statuses"][split] |= dict.fromkeys(left_out, NOT_ASKED)
