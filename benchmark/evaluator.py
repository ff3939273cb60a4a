"""Evaluate a model on a task: fit, predict, score, record."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from filelock import Timeout

from .adapters import check_ids
from .difference import differences
from .environment import describe_environment, local_device
from .errors import ModelError
from .features import FeatureStore
from .parts import NOT_ASKED, Part, PartStore, Plan, Predictions, cache_key, run_part
from .predictor import RunContext, silent
from .probes import reading
from .protocol import Fold, folds_of, learning_ids, main_split
from .resolve import Model
from .results import ModelRecord, PartRecord, Probe, Result, Run, now, plain, write_run
from .scoring import COVERAGE_THRESHOLD, Scored, Scores, impute, score
from .service import Service
from .stages import write_stages
from .task import TaskData

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Setting:
    """How a run is made.

    Attributes:
        protocol: `fixed` or `cv`.
        seeds: one fit per seed and fold.
        device: `cpu` or a torch device name.
        out: the run folder is made inside.
        cache: where finished parts are kept.
        limit: predict only the first so many rows of each split; the others count as failed.
        probes: also predict altered inputs, to see what the model uses.
        service: for models behind a service.
        fresh: forget the finished parts of this model first.
        progress: called with parts done, parts in all, and a few words.
        step_progress: the same, for the steps within a part.
    """

    protocol: str
    seeds: Sequence[int]
    device: str
    out: Path
    cache: Path
    limit: int | None = None
    probes: bool = False
    service: Service = field(default_factory=Service)
    fresh: bool = False
    progress: Callable[[int, int, str], None] = field(default=silent, repr=False)
    step_progress: Callable[[int, int, str], None] = field(default=silent, repr=False)


def evaluate_model(model: Model, data: TaskData, setting: Setting) -> Run:
    """Fit, predict and score; parts that are finished already are read, not run.

    Raises:
        ModelError: the model failed; parts finished before are kept.
        DataError: the protocol does not fit the task.
    """
    folds = [_covered(fold, model, main_split(setting.protocol)) for fold in folds_of(data, setting.protocol)]
    if model.ids is not None and setting.probes:
        raise ModelError(f"{model.name} is a file of predictions, which no altered input changes; leave out --probes.")
    if model.ids is not None:
        check_ids(model.ids, [m for fold in folds for m in fold.predicted[main_split(setting.protocol)]], data.ids)
    key = cache_key(model, data, setting.protocol, setting.device, _plan(setting))
    if key is None:
        with tempfile.TemporaryDirectory() as folder:
            return _run(model, data, folds, setting, PartStore(Path(folder)), None)
    store = PartStore(setting.cache / "parts" / key[:32])
    if setting.fresh:
        store.clear((seed, fold.number) for seed in setting.seeds for fold in folds)
    return _run(model, data, folds, setting, store, key)


def score_frame(
    data: TaskData, predictions: pd.DataFrame, train_means: dict[tuple[int, int], float]
) -> dict[str, Scored]:
    """Predictions beside targets, by split.

    Args:
        data: the task the predictions are for.
        predictions: as `Run.predictions` gives them.
        train_means: mean training target by (seed, fold).
    """
    splits = predictions["split"].to_numpy(object)
    return {str(split): _scored(data, predictions[splits == split], train_means) for split in dict.fromkeys(splits)}


def _scored(data: TaskData, part: pd.DataFrame, train_means: dict[tuple[int, int], float]) -> Scored:
    ids, column = np.unique(part["id"].to_numpy(object), return_inverse=True)
    seeds, row = np.unique(part["seed"].to_numpy(), return_inverse=True)
    if len(part) != len(ids) * len(seeds) or len(set(zip(row, column, strict=True))) < len(part):
        raise ValueError("a prediction is missing or there twice")
    prediction, train_mean = np.empty((len(seeds), len(ids))), np.empty((len(seeds), len(ids)))
    prediction[row, column] = part["prediction"].to_numpy(float)
    folds = part["fold"].tolist()
    train_mean[row, column] = [train_means[seed, fold] for seed, fold in zip(part["seed"].tolist(), folds, strict=True)]
    clusters = np.array([data.groups[material] for material in ids])
    return impute(data.targets(ids), prediction, train_mean, clusters)


def train_range(data: TaskData, protocol: str) -> float:
    """Maximum minus minimum of the targets that are learnt from."""
    return float(np.ptp(data.targets(learning_ids(data, protocol))))


def _plan(setting: Setting) -> Plan:
    return Plan(main_split(setting.protocol), setting.limit, setting.probes)


def _covered(fold: Fold, model: Model, main: str) -> Fold:
    """Leave out splits that a predictions file says nothing about, and, for a model whose answers cost something, all
    but the one that ranks, which is never left out."""

    def wanted(split: str, members: Sequence[str]) -> bool:
        if split == main:
            return True
        return not model.asks_service and (model.ids is None or model.ids.issuperset(members))

    kept = {split: members for split, members in fold.predicted.items() if wanted(split, members)}
    return Fold(fold.number, fold.train, fold.validation, kept)


def _run(
    model: Model, data: TaskData, folds: Sequence[Fold], setting: Setting, store: PartStore, key: str | None
) -> Run:
    jobs = [(seed, fold) for seed in setting.seeds for fold in folds]
    parts: dict[tuple[int, int], Part] = {}
    for waits in (False, True):  # what another process is at comes last
        for seed, fold in jobs:
            if (seed, fold.number) not in parts:
                setting.progress(len(parts), len(jobs), f"seed {seed}, fold {fold.number}")
                part = store.read(seed, fold) or _run_part(model, data, seed, fold, setting, store, waits)
                parts |= {} if part is None else {(seed, fold.number): part}
    setting.progress(len(jobs), len(jobs), "done")
    return _record(model, data, [parts[seed, fold.number] for seed, fold in jobs], setting, store, key)


def _run_part(
    model: Model, data: TaskData, seed: int, fold: Fold, setting: Setting, store: PartStore, waits: bool
) -> Part | None:
    """Run a part and keep it; None where another process is at it and this one is not to wait."""
    try:
        with store.lock(seed, fold.number).acquire(blocking=waits):
            part = store.read(seed, fold)  # another process may have finished it meanwhile
            if part is None:
                context = context_of(data, seed, store.start(seed, fold.number), store.shared(fold.number), setting)
                part = run_part(model, data, fold, context, _plan(setting))
                if part.is_final:
                    store.write(part)
            return part
    except Timeout:
        return None


def context_of(data: TaskData, seed: int, work: Path, cache: Path, setting: Setting) -> RunContext:
    """What a predictor may know of one part of a run."""
    target = data.task.target
    return RunContext(
        task=data.task.id,
        target=target.name,
        unit=target.unit,
        description=target.description,
        seed=seed,
        device=local_device(setting.device),
        cache_dir=cache,
        work_dir=work,
        features=FeatureStore(setting.cache / "features"),
        service=setting.service,
        progress=setting.step_progress,
    )


def _record(
    model: Model, data: TaskData, parts: Sequence[Part], setting: Setting, store: PartStore, key: str | None
) -> Run:
    predictions = _with_remarks(_frame(data, [(part.record, part.predictions) for part in parts]), parts)
    means = {(part.record.seed, part.record.fold): part.record.train_mean for part in parts}
    spread = train_range(data, setting.protocol)

    def scores_of(frame: pd.DataFrame) -> dict[str, Scores]:
        return {split: score(scored, spread) for split, scored in score_frame(data, frame, means).items()}

    scores, has_text = scores_of(predictions), data.options.text != "none"
    limit = setting.limit if (predictions["status"] == NOT_ASKED).any() else None
    result = Result(
        task=data.task.id,
        target=data.task.target.name,
        unit=data.task.target.unit,
        source=data.task.source,
        content_sha256=dict(data.task.content_sha256),
        protocol=setting.protocol,
        split=data.options.scheme,
        text=data.options.text,
        channel=data.options.channel,
        seeds=list(setting.seeds),
        model=ModelRecord(
            name=model.name,
            spec=model.spec,
            parameters=plain(dict(model.parameters)),
            source_sha256=model.source,
            inputs=None if model.inputs is None else [name for name in model.inputs if name != "text" or has_text],
            info=parts[0].record.info,
        ),
        scores=scores,
        stages={
            stage: scores_of(_frame(data, [(part.record, part.stages[stage]) for part in parts]))
            for stage in parts[0].stages
        },
        probes=_probes(data, parts, predictions, means, spread, main_split(setting.protocol)),
        limit=limit,
        train_range=spread,
        rankable=limit is None and scores[main_split(setting.protocol)].coverage >= COVERAGE_THRESHOLD,
        parts=[part.record for part in parts],
        environment=describe_environment(setting.device),
        created=now(),
    )
    folder = setting.out / data.task.id.replace("/", "--") / _run_name(result, key)
    for part in parts:
        work = store.path(part.record.seed, part.record.fold) / "work"
        if work.is_dir() and any(work.iterdir()):
            target = folder / "artifacts" / f"seed-{part.record.seed}_fold-{part.record.fold}"
            shutil.copytree(work, target, symlinks=True, dirs_exist_ok=True)
    write_stages(folder, result)
    return write_run(folder, result, predictions, _probe_frame(data, parts))


def _probes(
    data: TaskData,
    parts: Sequence[Part],
    predictions: pd.DataFrame,
    means: dict[tuple[int, int], float],
    spread: float,
    split: str,
) -> dict[str, Probe]:
    """Each probe's scores, and their difference to the model's on the same rows."""

    def scored_of(frame: pd.DataFrame) -> tuple[Scored, Scores]:
        scored = score_frame(data, frame[frame["split"] == split], means)[split]
        return scored, score(scored, spread)

    own, found = scored_of(predictions), {}
    for probe in parts[0].probes:
        altered = scored_of(_frame(data, [(part.record, part.probes[probe]) for part in parts]))
        difference = differences(altered, own)["rmse"]
        coverage = min(altered[1].coverage, own[1].coverage)
        found[probe] = Probe(scores=altered[1], difference=difference, reading=reading(probe, difference, coverage))
    return found


def _probe_frame(data: TaskData, parts: Sequence[Part]) -> pd.DataFrame | None:
    """What was predicted of altered inputs, so that the probes' scores can be recomputed; None without probes."""
    import pandas as pd

    frames = [
        _frame(data, [(part.record, part.probes[probe]) for part in parts]).assign(probe=probe)
        for probe in parts[0].probes
    ]
    return pd.concat(frames, ignore_index=True) if frames else None


def _with_remarks(frame: pd.DataFrame, parts: Sequence[Part]) -> pd.DataFrame:
    """Add what the model says of single rows: their status where it has no prediction, its standard deviations."""

    def collected(values: str) -> list[Any]:
        by_part = {(p.record.seed, p.record.fold): getattr(p, values) for p in parts}
        keys = zip(frame["seed"], frame["fold"], frame["split"], frame["id"], strict=True)
        return [by_part[seed, fold].get(split, {}).get(material) for seed, fold, split, material in keys]

    said, failed = collected("statuses"), frame["prediction"].isna()
    frame["status"] = [
        "ok" if not bad else word if word not in (None, "ok") else "failed"
        for word, bad in zip(said, failed, strict=True)
    ]
    if any(part.deviations for part in parts):
        frame["prediction_std"] = np.array(collected("deviations"), dtype=float)
    return frame


def _run_name(result: Result, key: str | None) -> str:
    """A folder name that says what the run is, and differs where anything about it differs."""
    tail = hashlib.sha256(f"{key or uuid.uuid4()}{result.seeds}".encode()).hexdigest()[:8]
    tier = "" if result.text == "none" else f"-{result.text}"
    kind = "-probes" if result.probes else ""
    return f"{result.model.name}{tier}-{result.protocol}-{result.split}{kind}-{tail}"


def _frame(data: TaskData, parts: Sequence[tuple[PartRecord, Predictions]]) -> pd.DataFrame:
    import pandas as pd

    hashes = {m: data.target_hash(m, v) for m, v in zip(data.ids, data.targets(data.ids).tolist(), strict=True)}
    rows = [
        (material, split, record.fold, record.seed, value, hashes[material])
        for record, predictions in parts
        for split, values in predictions.items()
        for material, value in values.items()
    ]
    frame = pd.DataFrame(rows, columns=["id", "split", "fold", "seed", "prediction", "target_hash"])
    frame["prediction"] = frame["prediction"].astype(float)
    return frame
