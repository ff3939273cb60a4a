"""Evaluate a model on a task: fit, predict, score, record."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from filelock import Timeout

from .adapters import check_ids
from .differences import differences
from .environment import describe_environment, local_device
from .errors import ModelError
from .feature_store import FeatureStore
from .fit_processes import workplace
from .fit_processes.workplace import Workplace
from .fits import (
    NOT_ASKED,
    Extent,
    FitOutputs,
    FitStore,
    Predictions,
    cache_key,
    fit_outputs,
    folder_name,
    rows_learnt,
)
from .fitting import FitJob
from .metrics import METRICS, Sample
from .model import Model
from .plots import draw_curves, draw_protocol, draw_stages
from .predictor import Progress, RunContext, silent
from .probes import altered_tables, reading
from .protocols import PROTOCOLS, Fit, FitKey, learning_ids
from .results import (
    RUN_FILES,
    SCHEMA_VERSION,
    Curves,
    FitRecord,
    ModelRecord,
    Probe,
    Result,
    Run,
    now,
    plain,
    write_run,
)
from .row_tables import RowTables
from .run_ledger import RunLedger
from .samples import fit_keys, make_samples
from .scoring import COVERAGE_THRESHOLD, score
from .seals import Sealer
from .task import HOLDOUT, TaskData

if TYPE_CHECKING:
    import pandas as pd


_FEWEST_SEEDS = 3  # whose spread says something
_ALTERED = "A finished fit had been changed by something else, and was run again."


@dataclass(frozen=True)
class Setting:
    """How a run is made.

    Attributes:
        protocol: name of a registered protocol, as in `fixed` or `cv`.
        seeds: one fit per seed and fold.
        device: `cpu` or a torch device name.
        out: the run folder is made inside.
        cache: where finished fits are kept.
        limit: predict only the first so many rows of each split; the others count as failed.
        probes: also predict altered inputs, to see what the model uses.
        service: for models behind a service; see `RunContext.service`.
        fresh: forget the finished fits of this model first.
        place: where fits are made.
        progress: called with fits done, fits in all, and a few words.
        step_progress: the same, for the steps within a fit.
    """

    protocol: str
    seeds: Sequence[int]
    device: str
    out: Path
    cache: Path
    limit: int | None = None
    probes: bool = False
    service: Any = None
    fresh: bool = False
    place: Workplace = field(default_factory=workplace, repr=False)
    progress: Progress = field(default=silent, repr=False)
    step_progress: Progress = field(default=silent, repr=False)


def evaluate_model(model: Model, data: TaskData, setting: Setting) -> Run:
    """Fit, predict and score; finished fits are read, not run again.

    Raises:
        ModelError: the model failed; fits that were finished before are kept.
        DataError: the protocol is unknown or does not suit the task.
    """
    return _Evaluation(model, data, setting).run()


def preview_model(model: Model, data: TaskData, setting: Setting) -> Iterator[dict[str, Any]]:
    """Every request of every fit, as the model's `preview` gives them; nothing is sent, no run is written.

    Raises:
        ModelError: the model does not use a service.
    """
    if not model.asks_service:
        raise ModelError(f"{model.name} does not use a service, so there is nothing to preview; leave out --dry-run.")
    return _Evaluation(model, data, setting).requests()


def make_context(
    data: TaskData, seed: int, work: Path, cache: Path, setting: Setting, features: FeatureStore
) -> RunContext:
    """What a predictor may know of one fit."""
    target = data.task.target
    return RunContext(
        task=data.task.id,
        target=target.name,
        unit=target.unit,
        description=target.description,
        kind=target.kind,
        seed=seed,
        device=local_device(setting.device),
        cache_dir=cache,
        shared_dir=setting.cache,
        work_dir=work,
        features=features,
        service=setting.service,
        progress=setting.step_progress,
    )


class _Targets:
    """Targets, each read once and only when they are asked for: while models are fitted, those of the holdout are
    nowhere in this process."""

    def __init__(self, data: TaskData) -> None:
        self._data = data
        self.known: dict[str, float] = {}

    def need(self, ids: Sequence[str]) -> None:
        if missing := [sample_id for sample_id in ids if sample_id not in self.known]:
            self.known |= self._data.read_targets(missing)

    def of(self, ids: Sequence[str]) -> np.ndarray:
        self.need(ids)
        return np.array([self.known[sample_id] for sample_id in ids], dtype=float)


class _Evaluation:
    """A run while it is evaluated."""

    def __init__(self, model: Model, data: TaskData, setting: Setting) -> None:
        self.model, self.setting = model, setting
        self.protocol = PROTOCOLS.get(setting.protocol)
        self.data = data.only(model.inputs)
        self.targets = _Targets(data)
        self.extent = Extent(self.protocol.main_split, setting.limit, setting.probes)
        self.fits = [self._covered(fit) for fit in self.protocol.plan(data)]
        self.tables = RowTables(self.data, list(dict.fromkeys(m for fit in self.fits for m in fit.rows())))
        self.place = setting.place if model.predictions is None else workplace("none")

    def run(self) -> Run:
        """All fits, and the run folder."""
        model, setting = self.model, self.setting
        if model.predictions is not None:
            self._check_predictions_file()
        key = cache_key(model, self.data, self.protocol.spec, self.protocol.reads_folds, setting.device, self.extent)
        sealer = Sealer(setting.cache)
        if key is None:
            with tempfile.TemporaryDirectory(prefix="ecdbench-") as folder:
                return self._run(FitStore(Path(folder), sealer), None)
        store = FitStore(setting.cache / "fits" / key[:32], sealer)
        if setting.fresh:
            store.clear(fit.key(seed) for seed in setting.seeds for fit in self.fits)
        return self._run(store, key)

    def requests(self) -> Iterator[dict[str, Any]]:
        """What the model would ask a service."""
        for seed in self.setting.seeds:
            for fit in self.fits:
                with tempfile.TemporaryDirectory(prefix="ecdbench-") as folder:
                    context = self._context(seed, fit, Path(folder), Path(folder))
                    yield from self.place.preview(self.model, self._job(fit), context)

    def _context(self, seed: int, fit: Fit, work: Path, cache: Path) -> RunContext:
        kept = self.setting.cache / "features" if self.model.code else cache / "features"
        features = FeatureStore(kept, self.model.code or "", rows_learnt(fit))
        return make_context(self.data, seed, work, cache, self.setting, features)

    def _job(self, fit: Fit) -> FitJob:
        """The rows of a fit. A model that does not declare `id` sees their numbers in place of their ids."""
        limit, main, model = self.extent.limit, self.extent.main_split, self.model
        predicted = {split: ids[:limit] for split, ids in fit.predicted.items()}
        declares_ids = model.inputs is None or "id" in model.inputs
        names = None if declares_ids else {sample_id: str(number) for number, sample_id in enumerate(fit.rows())}
        train, validation = (self.tables.table(ids, self.targets.of(ids), names) for ids in (fit.train, fit.validation))
        alters = self.extent.probes and not model.probes_itself and main in predicted
        return FitJob(
            train=train,
            validation=validation,
            predicted={split: self.tables.table(ids, names=names) for split, ids in predicted.items()},
            main_split=main,
            altered=altered_tables(self.data, predicted[main], fit.train, names) if alters else {},
            probes=self.extent.probes,
        )

    def _check_predictions_file(self) -> None:
        main, ids = self.extent.main_split, frozenset(self.model.predictions or ())
        if self.setting.probes:
            raise ModelError(
                f"{self.model.name} is a file of predictions, which altered inputs cannot change; leave out --probes."
            )
        check_ids(ids, [m for fit in self.fits for m in fit.predicted.get(main, ())], self.data.ids)

    def _covered(self, fit: Fit) -> Fit:
        """Leave out splits that a predictions file does not cover, and, for a model whose answers cost something, all
        but the one that ranks, which is never left out."""
        model, main = self.model, self.extent.main_split
        known = None if model.predictions is None else set(model.predictions)

        def wanted(split: str, members: Sequence[str]) -> bool:
            return split == main or (not model.asks_service and (known is None or known.issuperset(members)))

        return replace(fit, predicted={s: ids for s, ids in fit.predicted.items() if wanted(s, ids)})

    def _run(self, store: FitStore, key: str | None) -> Run:
        jobs = [(seed, fit) for seed in self.setting.seeds for fit in self.fits]
        done: dict[FitKey, FitOutputs] = {}
        for waits in (False, True):  # what another process is running comes last
            for seed, fit in jobs:
                if fit.key(seed) not in done:
                    self.setting.progress(len(done), len(jobs), f"seed {seed}, {fit.label or f'fold {fit.fold}'}")
                    outputs = store.read(fit.key(seed), fit) or self._run_fit(seed, fit, store, waits)
                    done |= {} if outputs is None else {fit.key(seed): outputs}
        self.setting.progress(len(jobs), len(jobs), "done")
        return self._record([done[fit.key(seed)] for seed, fit in jobs], store, key)

    def _run_fit(self, seed: int, fit: Fit, store: FitStore, waits: bool) -> FitOutputs | None:
        """Run a fit and keep it; None where another process is running it and this one is not to wait."""
        key = fit.key(seed)
        try:
            with store.turn(key, waits):
                outputs = store.read(key, fit)  # another process may have finished it meanwhile
                if outputs is None:
                    self.targets.need([m for one in self.fits for m in (*one.train, *one.validation)])
                    outputs = self._fitted(seed, fit, store)
                    if outputs.is_final:
                        store.write(outputs)
                return outputs
        except Timeout:
            return None

    def _fitted(self, seed: int, fit: Fit, store: FitStore) -> FitOutputs:
        key = fit.key(seed)
        context = self._context(seed, fit, store.start(key), store.shared_by_seeds(key))
        answer, trace = self.place.fit(self.model, self._job(fit), context)
        restore = getattr(self.setting.service, "restore", None)
        if callable(restore) and answer.service is not None:
            restore(answer.service)
        altered = [_ALTERED] if key in store.altered else []
        record = FitRecord(
            seed=seed,
            fold=fit.fold,
            size=fit.size,
            repeat=fit.repeat,
            n_train=len(fit.train),
            train_mean=float(np.mean(self.targets.of(fit.train))),
            seconds_fit=answer.seconds_fit,
            seconds_predict=answer.seconds_predict,
            info=answer.info,
            usage=answer.usage,
            notes=[*altered, *answer.notes],
            n_validation=len(fit.validation),
            learnt=rows_learnt(fit),
            warnings=answer.warnings,
        )
        return fit_outputs(answer, record, fit, self.extent, trace)

    def _record(self, outputs: Sequence[FitOutputs], store: FitStore, key: str | None) -> Run:
        data, model, main = self.data, self.model, self.extent.main_split
        predictions = _with_remarks(self._frame([(one.record, one.predictions) for one in outputs]), outputs)
        if "prediction_std" not in predictions and data.task.target.kind == "regression":
            predictions = _with_spread(predictions, len(self.setting.seeds))
        scale = float(np.ptp(self.targets.of(learning_ids(self.fits))))
        means = {one.record.key: one.record.train_mean for one in outputs}

        def samples_of(predictions: Sequence[Predictions]) -> dict[str, Sample]:
            frame = self._frame([(one.record, said) for one, said in zip(outputs, predictions, strict=True)])
            return make_samples(data, frame, means, self.targets.known, scale)

        samples = make_samples(data, predictions, means, self.targets.known, scale)
        scores = {split: score(sample) for split, sample in samples.items()}
        stages = {
            stage: {
                split: score(sample) for split, sample in samples_of([one.stages[stage] for one in outputs]).items()
            }
            for stage in outputs[0].stages
        }
        limit = self.setting.limit if (predictions["status"] == NOT_ASKED).any() else None
        seen = None if model.inputs is None else [name for name in model.inputs if name in ("id", *data.inputs)]
        result = Result(
            schema_version=SCHEMA_VERSION,
            task=data.task.id,
            target=data.task.target.name,
            unit=data.task.target.unit,
            kind=data.task.target.kind,
            metric=data.task.main_metric,
            source=data.task.source,
            columns=data.pins(data.inputs, self.protocol.reads_folds),
            protocol=self.protocol.spec,
            split=data.options.scheme,
            text=data.options.text,
            channel=data.options.channel,
            seeds=list(self.setting.seeds),
            model=ModelRecord(
                name=model.name,
                spec=model.spec,
                parameters=plain(dict(model.parameters)),
                source_sha256=model.source,
                inputs=seen,
                info=outputs[0].record.info,
            ),
            scores=scores,
            stages=stages,
            folds={
                fit.label: score(make_samples(data, of_fold, means, self.targets.known, scale)[main])
                for fit in self.fits
                if fit.label and len(of_fold := predictions[predictions["fold"] == fit.fold])
            },
            probes={
                probe: self._probe(probe, samples_of([one.probes[probe] for one in outputs])[main], samples[main])
                for probe in outputs[0].probes
            },
            limit=limit,
            train_range=scale,
            rankable=limit is None and scores[main].coverage >= COVERAGE_THRESHOLD,
            fits=[one.record for one in outputs],
            holdout_scored=self._times_scored(key),
            environment=describe_environment(self.setting.device, self.place.isolation),
            created=now(),
        )
        folder = self.setting.out / data.task.id.replace("/", "--") / _run_name(result, key)
        for one in outputs:
            work = store.path(one.record.key) / "work"
            if work.is_dir() and any(work.iterdir()):
                target = folder / "artifacts" / folder_name(one.record.key)
                shutil.copytree(work, target, symlinks=True, dirs_exist_ok=True)
        if not model.asks_service:  # there, stages are ways of reading one answer
            draw_stages(folder / "stages.png", result)
        draw_protocol(folder, result)
        curves = Curves(curves=outputs[0].curves[:12])
        draw_curves(folder / "learning_curves.png", result, curves.curves)
        run = write_run(folder, result, predictions, self._probe_frame(outputs), curves)
        RunLedger(self.setting.cache).remember(folder, RUN_FILES)
        return run

    def _times_scored(self, key: str | None) -> int | None:
        """How many versions of this model have been scored on this holdout here; None where it is not scored."""
        data, model = self.data, self.model
        if self.extent.main_split != HOLDOUT:
            return None
        found_by = str(Path(model.spec).absolute()) if Path(model.spec).exists() else model.spec
        version = key or str(uuid.uuid4())
        return RunLedger(self.setting.cache).count_score(data.task.id, data.options.scheme, found_by, version)

    def _probe(self, name: str, altered: Sample, own: Sample) -> Probe:
        """A probe's scores, and their difference to the model's on the same rows."""
        metric = METRICS.get(self.data.task.main_metric)
        gap = differences(altered, own)[metric.name]
        coverage = min(altered.coverage, own.coverage)
        return Probe(scores=score(altered), difference=gap, reading=reading(name, gap, coverage, metric))

    def _probe_frame(self, outputs: Sequence[FitOutputs]) -> pd.DataFrame | None:
        """What was predicted of altered inputs, so that the probes' scores can be recomputed; None without probes."""
        import pandas as pd

        frames = [
            self._frame([(one.record, one.probes[probe]) for one in outputs]).assign(probe=probe)
            for probe in outputs[0].probes
        ]
        return pd.concat(frames, ignore_index=True) if frames else None

    def _frame(self, outputs: Sequence[tuple[FitRecord, Predictions]]) -> pd.DataFrame:
        """Predictions as a table; targets are read here at the latest, when every fit is done."""
        import pandas as pd

        rows = [
            (sample_id, split, record.fold, record.seed, value, record.size, record.repeat)
            for record, predictions in outputs
            for split, values in predictions.items()
            for sample_id, value in values.items()
        ]
        frame = pd.DataFrame(rows, columns=["id", "split", "fold", "seed", "prediction", "size", "repeat"])
        frame["prediction"] = frame["prediction"].astype(float)
        ids = frame["id"].unique().tolist()
        self.targets.need(ids)
        usual = {"size": 1, "repeat": 0}  # columns that say nothing are left out
        return frame.drop(columns=[name for name, value in usual.items() if (frame[name] == value).all()])


def _with_remarks(frame: pd.DataFrame, outputs: Sequence[FitOutputs]) -> pd.DataFrame:
    """Add what the model says of single rows: their status where it has no prediction, its standard deviations."""
    keys = fit_keys(frame)

    def collected(values: str) -> list[Any]:
        by_fit = {one.record.key: getattr(one, values) for one in outputs}
        rows = zip(keys, frame["split"], frame["id"], strict=True)
        return [by_fit[key].get(split, {}).get(sample_id) for key, split, sample_id in rows]

    said, failed = collected("statuses"), frame["prediction"].isna()
    frame["status"] = [
        "ok" if not bad else word if word not in (None, "ok") else "failed"
        for word, bad in zip(said, failed, strict=True)
    ]
    if any(one.deviations for one in outputs):
        frame["prediction_std"] = np.array(collected("deviations"), dtype=float)
    return frame


def _with_spread(frame: pd.DataFrame, seeds: int) -> pd.DataFrame:
    """Add the standard deviation over seeds as that of each prediction, for a model that states none and depends on its
    seed, such as a network."""
    if seeds < _FEWEST_SEEDS:
        return frame
    fit = [name for name in ("id", "split", "fold", "size", "repeat") if name in frame]
    spread = frame.groupby(fit)["prediction"].transform("std")
    return frame.assign(prediction_std=spread) if (spread > 0).mean() > 0.5 else frame


def _run_name(result: Result, key: str | None) -> str:
    """A folder name that says what the run is, and differs where anything about it differs."""
    tail = hashlib.sha256(f"{key or uuid.uuid4()}{result.seeds}".encode()).hexdigest()[:8]
    tier = "" if result.text == "none" else f"-{result.text}"
    kind = "-probes" if result.probes else ""
    return f"{result.model.name}{tier}-{result.protocol}-{result.split}{kind}-{tail}"
