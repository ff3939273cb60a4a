"""Parts: one fit of one seed on one fold, and the cache that makes sure it is never run twice."""

from __future__ import annotations

import errno
import hashlib
import json
import random
import shutil
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock
from pydantic import BaseModel, ValidationError

from .environment import package_versions
from .errors import EcdbenchError, ModelError
from .predictor import RunContext
from .protocol import Fold
from .resolve import Model
from .results import PartRecord, plain
from .scoring import usable
from .storage import write_text
from .task import TaskData

_DISK_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG)
# What to say when a predictor asks for a column that it was not given: by step (any for the empty one) and column.
_HINTS = {
    ("predict", "target"): " Targets are handed to fit only; predict sees inputs.",
    ("", "text"): " The column text is there with --text single, key or all.",
    ("", "density"): " The column density is there in datasets with densities, such as ecd-fcc.",
}


Predictions = dict[str, dict[str, float | None]]


class Part(BaseModel):
    """A finished part: its record, and predictions by split and id; None is a failed prediction.

    `stages` are predictions by stage, split and id, for a model that is trained in stages.
    """

    record: PartRecord
    predictions: Predictions
    stages: dict[str, Predictions] = {}


def cache_key(model: Model, data: TaskData, protocol: str, device: str) -> str | None:
    """What a part depends on besides seed and fold, as a hash; None where the model's source is unknown."""
    try:
        json.dumps(dict(model.parameters))
    except (TypeError, ValueError):
        return None  # an array or a function has no text that says all of it
    if model.source is None:
        return None
    parts = {
        "task": data.task.id,
        "content": dict(data.task.content_sha256),
        "options": vars(data.options),
        "protocol": protocol,
        "model": [model.spec.rpartition(":")[2], model.source, repr(sorted(model.parameters.items()))],
        "fingerprint": _optional(model, model.create(), "fingerprint"),
        "device": device,
        "packages": package_versions(),
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


class PartStore:
    """Finished parts of one model, task and protocol in a folder.

    A part's file is written last and atomically; a folder without it is what an interrupt left, and is emptied.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, seed: int, fold: int) -> Path:
        """The folder of one part."""
        return self.folder / f"seed-{seed}_fold-{fold}"

    def read(self, seed: int, fold: Fold) -> Part | None:
        """The finished part, or None where there is none, or not a whole one."""
        file = self.path(seed, fold.number) / "part.json"
        if not file.is_file():
            return None
        try:
            part = Part.model_validate_json(file.read_bytes())
        except ValidationError:
            return None
        expected = {split: set(ids) for split, ids in fold.predicted.items()}
        found = {split: set(values) for split, values in part.predictions.items()}
        return part if found == expected else None

    def shared(self, fold: int) -> Path:
        """A folder for the seeds of one fold. Folds share none: the targets one learns from, another predicts."""
        folder = self.folder / f"cache_fold-{fold}"
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def lock(self, seed: int, fold: int) -> FileLock:
        """Held while a part runs, so that the same command given twice at once shares the work."""
        self.folder.mkdir(parents=True, exist_ok=True)
        return FileLock(f"{self.path(seed, fold)}.lock")

    def start(self, seed: int, fold: int) -> Path:
        """An empty work folder for a part."""
        shutil.rmtree(self.path(seed, fold), ignore_errors=True)
        work = self.path(seed, fold) / "work"
        work.mkdir(parents=True)
        return work

    def write(self, part: Part) -> None:
        """Mark a part as finished."""
        write_text(self.path(part.record.seed, part.record.fold) / "part.json", part.model_dump_json())


def run_part(model: Model, data: TaskData, fold: Fold, context: RunContext) -> Part:
    """Fit a fresh predictor on one fold and predict it.

    Raises:
        ModelError: the predictor raised, or returned something that is not one number per row.
    """
    random.seed(context.seed)
    np.random.seed(context.seed)  # noqa: NPY002 - for models that use the global generator
    predictor = model.create()
    train, validation = data.labelled(fold.train), data.labelled(fold.validation)
    train_mean = float(np.mean(data.targets(fold.train)))
    start = time.perf_counter()
    _call(model, "fit", partial(predictor.fit, train, validation, context))
    fitted = time.perf_counter()
    predictions: Predictions = {}
    stages: dict[str, Predictions] = {}
    for split, ids in fold.predicted.items():
        rows = data.inputs(ids)
        raw = _call(model, "predict", partial(predictor.predict, rows))
        predictions[split] = _by_id(model.name, raw, ids)
        for stage, values in _optional(model, predictor, "predict_stages", rows).items():
            stages.setdefault(stage, {})[split] = _by_id(model.name, values, ids)
    done = time.perf_counter()
    record = PartRecord(
        seed=context.seed,
        fold=fold.number,
        n_train=len(fold.train),
        train_mean=train_mean,
        seconds_fit=round(fitted - start, 3),
        seconds_predict=round(done - fitted, 3),
        info=plain(_optional(model, predictor, "info")),
        notes=context.notes,
    )
    return Part(record=record, predictions=predictions, stages=stages)


def _by_id(name: str, raw: Any, ids: Sequence[str]) -> dict[str, float | None]:
    values = checked_predictions(name, raw, len(ids))
    kept = np.where(usable(values), values, np.nan).tolist()
    return {m: None if np.isnan(v) else v for m, v in zip(ids, kept, strict=True)}


def _optional(model: Model, predictor: Any, method: str, *arguments: Any) -> dict[str, Any]:
    """What an optional method of a predictor returns, as a dictionary; empty where it has none."""
    function = getattr(predictor, method, None)
    return _call(model, method, lambda: dict(function(*arguments))) if callable(function) else {}


def checked_predictions(name: str, raw: Any, n: int) -> np.ndarray:
    """What a predictor returned as floats, shape (n,). NaN and infinity stay.

    Raises:
        ModelError: another shape, or not numbers.
    """
    try:
        values = np.ma.filled(raw.astype(float), np.nan) if isinstance(raw, np.ma.MaskedArray) else np.asarray(raw)
    except ValueError as error:
        raise ModelError(
            f"{name} returned rows of different lengths; predict must return one number per row."
        ) from error
    if values.dtype.kind not in "fiub":
        raise ModelError(f"{name} returned {values.dtype.name} values; predict must return numbers.")
    if values.shape != (n,):
        remedy = " Use .ravel()." if values.size == n else ""
        raise ModelError(
            f"{name} returned shape {values.shape} for {n} rows; predict must return shape ({n},).{remedy}"
        )
    return values.astype(float)


def _call(model: Model, step: str, function: Callable[[], Any]) -> Any:
    try:
        return function()
    except (EcdbenchError, MemoryError):
        raise
    except (Exception, SystemExit) as error:
        if isinstance(error, OSError) and error.errno in _DISK_ERRORS:
            raise  # the disk, not the model
        reason = str(error).rstrip(".")
        hint = next((text for (where, column), text in _HINTS.items() if where in step and f"'{column}'" in reason), "")
        message = f"{model.name} failed in {step}: {type(error).__name__}: {reason}.{hint} (--debug shows where.)"
        raise ModelError(message) from error
