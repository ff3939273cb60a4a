"""Parts: one fit of one seed on one fold, and the cache that makes sure it is never run twice."""

from __future__ import annotations

import contextlib
import hashlib
import json
import random
import shutil
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock, Timeout
from pydantic import BaseModel, ValidationError

from .calls import by_id, call, mapping
from .environment import package_versions
from .predictor import RunContext
from .probes import VERSION, probe_predictions
from .protocol import Fold
from .resolve import Model
from .results import PartRecord, Usage, plain
from .storage import write_text
from .task import TaskData

Predictions = dict[str, dict[str, float | None]]
NOT_ASKED = "not asked"  # the status of a row that a limit leaves out
ERROR = "error"  # the status of a row whose question could not be answered this time


@dataclass(frozen=True)
class Plan:
    """What is predicted besides the protocol's rows, and how many of them.

    Attributes:
        main_split: the split that ranks.
        limit: only the first so many rows of each split; None for all.
        probes: also predict altered inputs of the split that ranks.
    """

    main_split: str
    limit: int | None = None
    probes: bool = False


class Part(BaseModel):
    """A finished part: its record, and predictions by split and id; None is a failed prediction.

    `stages` are predictions by stage, split and id, for a model that is trained in stages; `probes` the same by probe.
    `deviations` are standard deviations that the model states, `statuses` what it says of single rows.
    """

    record: PartRecord
    predictions: Predictions
    stages: dict[str, Predictions] = {}
    probes: dict[str, Predictions] = {}
    deviations: Predictions = {}
    statuses: dict[str, dict[str, str]] = {}

    @property
    def is_final(self) -> bool:
        """Whether running the part again would say the same: no row met an error that may pass."""
        return all(status != ERROR for by_row in self.statuses.values() for status in by_row.values())


def cache_key(model: Model, data: TaskData, protocol: str, device: str, plan: Plan) -> str | None:
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
        "fingerprint": mapping(model.name, model.create(), "fingerprint"),
        "device": device,
        "plan": vars(plan) | ({"probes": VERSION} if plan.probes else {}),
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

    def clear(self, parts: Iterable[tuple[int, int]]) -> None:
        """Forget parts, and what their folds share; not one that another process is running now."""
        for seed, fold in parts:
            with contextlib.suppress(Timeout), self.lock(seed, fold).acquire(blocking=False):
                shutil.rmtree(self.path(seed, fold), ignore_errors=True)
                shutil.rmtree(self.shared(fold), ignore_errors=True)

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


def run_part(model: Model, data: TaskData, fold: Fold, context: RunContext, plan: Plan) -> Part:
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
    call(model.name, "fit", partial(predictor.fit, train, validation, context))
    fitted = time.perf_counter()
    said = _Said()
    for split, ids in fold.predicted.items():
        _predict_split(model, predictor, data, split, ids, plan, said)
        if plan.probes and split == plan.main_split:
            _predict_probes(model, predictor, data, fold, plan, said)
    done = time.perf_counter()
    record = PartRecord(
        seed=context.seed,
        fold=fold.number,
        n_train=len(fold.train),
        train_mean=train_mean,
        seconds_fit=round(fitted - start, 3),
        seconds_predict=round(done - fitted, 3),
        info=plain(mapping(model.name, predictor, "info")),
        usage=_usage(model, predictor),
        notes=context.notes,
    )
    return Part(record=record, **vars(said))


@dataclass
class _Said:
    """What a predictor said of the splits so far; the fields of a part."""

    predictions: Predictions = field(default_factory=dict)
    stages: dict[str, Predictions] = field(default_factory=dict)
    probes: dict[str, Predictions] = field(default_factory=dict)
    deviations: Predictions = field(default_factory=dict)
    statuses: dict[str, dict[str, str]] = field(default_factory=dict)


def _predict_split(
    model: Model, predictor: Any, data: TaskData, split: str, ids: Sequence[str], plan: Plan, said: _Said
) -> None:
    asked, rest = ids[: plan.limit], ids[len(ids[: plan.limit]) :]
    rows, left_out = data.inputs(asked), dict.fromkeys(rest)

    def kept(raw: Any) -> dict[str, float | None]:
        return {**by_id(model.name, raw, asked), **left_out}

    said.predictions[split] = kept(call(model.name, "predict", partial(predictor.predict, rows)))
    statuses = mapping(model.name, predictor, "predict_status", rows)
    said.statuses[split] = {m: str(statuses[m]) for m in asked if m in statuses} | dict.fromkeys(rest, NOT_ASKED)
    for stage, values in mapping(model.name, predictor, "predict_stages", rows).items():
        said.stages.setdefault(stage, {})[split] = kept(values)
    if callable(getattr(predictor, "predict_std", None)):
        deviations = call(model.name, "predict_std", partial(predictor.predict_std, rows))
        said.deviations |= {} if deviations is None else {split: kept(deviations)}


def _predict_probes(model: Model, predictor: Any, data: TaskData, fold: Fold, plan: Plan, said: _Said) -> None:
    ids = fold.predicted[plan.main_split]
    asked, rest = ids[: plan.limit], ids[len(ids[: plan.limit]) :]
    for probe, values in probe_predictions(model.name, predictor, data, asked, fold.train).items():
        said.probes[probe] = {plan.main_split: {**by_id(model.name, values, asked), **dict.fromkeys(rest)}}


def _usage(model: Model, predictor: Any) -> Usage | None:
    found = mapping(model.name, predictor, "usage")
    return Usage(**found) if found else None
