"""Hyper-parameter search: Optuna over a model's parameters, scored by cross-validation; the holdout is untouched."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from .errors import EcdbenchError, MissingExtraError, ModelError
from .evaluator import Setting, evaluate_model
from .fits import Extent, cache_key
from .metrics import METRICS
from .model import Model
from .predictor import Progress, silent
from .protocols import PROTOCOLS
from .ranges import Range
from .resolve import resolve
from .storage import write_atomically, write_json
from .task import TaskData

if TYPE_CHECKING:
    import optuna


@dataclass(frozen=True)
class Tuning:
    """A finished search.

    Attributes:
        folder: with the study, `best.json`, `trials.csv`, `history.png` and `importances.png`.
        best: the best parameters found.
        score: their out-of-fold score by the metric that ranks.
        study: Optuna's study.
        mended: whether an unfinished last line of the study's log, which an interrupt or a full disk left, was removed.
    """

    folder: Path
    best: dict[str, Any]
    score: float
    study: optuna.Study = field(repr=False)
    mended: bool = False


def tune(
    model: Model,
    data: TaskData,
    ranges: Mapping[str, Range],
    trials: int,
    setting: Setting,
    progress: Progress = silent,
) -> Tuning:
    """Search until the study has this many finished trials; one that exists goes on.

    Args:
        model: the model, with the parameters that stay fixed.
        data: the task.
        ranges: see `search_ranges`.
        trials: how many in all.
        setting: where and how; each trial is a cross-validation over train and validation with its seeds.
        progress: called after each trial.

    Raises:
        ModelError: every trial failed.
    """
    try:
        import optuna
    except ImportError as error:
        raise MissingExtraError("Tuning", "tune") from error

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    folder = setting.out / data.task.id.replace("/", "--") / f"{model.name}-{_key(model, data, ranges, setting)}"
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(folder / "study.lock", blocking=False):
            return _tune(model, data, ranges, trials, replace(setting, protocol="cv", out=folder / "runs"), progress)
    except Timeout as error:
        raise EcdbenchError(
            f"Another process is running the study in {folder}; wait for it, or search with other settings."
        ) from error


def _tune(
    model: Model,
    data: TaskData,
    ranges: Mapping[str, Range],
    trials: int,
    setting: Setting,
    progress: Progress,
) -> Tuning:
    import optuna
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    folder, metric = setting.out.parent, METRICS.get(data.task.main_metric)
    main = PROTOCOLS.get(setting.protocol).main_split
    log = folder / "study.log"
    mended = _mend(log)
    study = optuna.create_study(
        study_name=model.name,
        storage=JournalStorage(JournalFileBackend(str(log))),
        load_if_exists=True,
        sampler=optuna.samplers.TPESampler(seed=0),
        direction="minimize" if metric.direction == "lower" else "maximize",
    )
    _requeue(study)
    first = len(study.trials)

    def objective(trial: optuna.Trial) -> float:
        chosen = {name: found.suggest(name, trial) for name, found in ranges.items()}
        try:
            run = evaluate_model(resolve(model.spec, {**model.parameters, **chosen}, setting.place), data, setting)
        except ModelError as error:
            trial.set_user_attr("failure", str(error))
            raise optuna.TrialPruned from error
        scores = run.result.scores[main]
        if not run.result.rankable:  # failed predictions count as the mean, which may be better than the model
            trial.set_user_attr("failure", f"only {scores.coverage:.0%} of the predictions could be scored.")
            raise optuna.TrialPruned
        value = scores[metric.name].value
        if value is None:
            trial.set_user_attr("failure", f"{metric.label} is undefined.")
            raise optuna.TrialPruned
        return value

    while (done := _finished(study, first)) < trials:
        progress(done, trials, _so_far(study, metric.label))
        # Seeded by position: a search that was interrupted draws what an uninterrupted one would.
        study.sampler = optuna.samplers.TPESampler(seed=done)
        study.optimize(objective, n_trials=1)
    progress(trials, trials, _so_far(study, metric.label))
    if not _completed(study):
        reason = study.trials[-1].user_attrs.get("failure", "unknown")
        raise ModelError(f"All {trials} trials failed; the last one: {reason}")
    _write(study, folder, model, metric.name)
    return Tuning(folder, dict(study.best_params), float(study.best_value), study, mended)


def _mend(log: Path) -> bool:
    """Remove what a process that died while it was writing left: an unfinished last line, and the lock of the log, also
    under the other name that it has while it is released. Whether there was such a line."""
    for lock in log.parent.glob(f"{log.name}.lock*"):
        lock.unlink(missing_ok=True)
    if not log.is_file():
        return False
    content = log.read_bytes()
    lines = content.splitlines(keepends=True)
    while lines and not _is_record(lines[-1]):
        del lines[-1]
    whole = b"".join(lines)
    if len(whole) < len(content):
        write_atomically(log, lambda path: path.write_bytes(whole))
    return len(whole) < len(content)


def _is_record(line: bytes) -> bool:
    try:
        return line.endswith(b"\n") and isinstance(json.loads(line), dict)
    except ValueError:
        return False


def _key(model: Model, data: TaskData, ranges: Mapping[str, Range], setting: Setting) -> str:
    """What a study depends on, as a short hash: another version of the model is another study."""
    protocol = PROTOCOLS.get("cv")
    key = cache_key(model, data, protocol.spec, protocol.reads_folds, setting.device, Extent(protocol.main_split))
    text = json.dumps([key, list(setting.seeds), {name: vars(found) for name, found in sorted(ranges.items())}])
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def _requeue(study: optuna.Study) -> None:
    """Put trials that an interrupt left unfinished, and failed ones, back in the queue."""
    from optuna.trial import TrialState

    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        study.tell(trial.number, state=TrialState.FAIL)
    trials = study.get_trials(deepcopy=False)
    again = (TrialState.FAIL, TrialState.PRUNED)
    known = [trial.params or trial.system_attrs.get("fixed_params") for trial in trials if trial.state not in again]
    for trial in trials:
        if trial.state in again and trial.params and trial.params not in known:
            known.append(trial.params)
            study.enqueue_trial(trial.params)


def _finished(study: optuna.Study, first: int) -> int:
    """Trials with a score, and those that failed since trial number `first`."""
    from optuna.trial import TrialState

    failed = study.get_trials(deepcopy=False, states=(TrialState.PRUNED,))
    scored = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    return len(scored) + sum(trial.number >= first for trial in failed)


def _completed(study: optuna.Study) -> bool:
    from optuna.trial import TrialState

    return bool(study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,)))


def _so_far(study: optuna.Study, label: str) -> str:
    return f"best {label} {study.best_value:.4g}" if _completed(study) else "trials"


def _write(study: optuna.Study, folder: Path, model: Model, metric: str) -> None:
    import warnings

    from matplotlib import rc_context
    from optuna.exceptions import ExperimentalWarning
    from optuna.visualization import matplotlib as plots

    parameters = {**model.parameters, **study.best_params}
    write_json(folder / "best.json", {"model": model.spec, "parameters": parameters, f"cv_{metric}": study.best_value})
    table = study.trials_dataframe(("number", "value", "state", "params", "user_attrs", "duration"))
    write_atomically(folder / "trials.csv", lambda path: table.to_csv(path, index=False))
    drawings = {"history": plots.plot_optimization_history}
    if len(study.best_params) > 1 and len(study.trials) > 3:
        drawings["importances"] = partial(plots.plot_param_importances)
    with warnings.catch_warnings(), rc_context():  # the plots change the style of all that follow
        warnings.simplefilter("ignore", ExperimentalWarning)
        for name, draw in drawings.items():
            figure = draw(study).get_figure()
            figure.tight_layout()
            write_atomically(folder / f"{name}.png", partial(figure.savefig, format="png", dpi=100))
