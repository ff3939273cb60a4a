"""The Python interface: evaluate a model on a task, as the command line does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from .benchmark.errors import EcdbenchError
from .benchmark.evaluator import Setting, evaluate_model, preview_model
from .benchmark.predictor import Progress, silent
from .benchmark.resolve import resolve
from .benchmark.results import Run
from .benchmark.storage import default_cache
from .benchmark.task import TaskData
from .tasks.catalogue import load_task

__all__ = ["default_cache", "evaluate", "load_task"]


def evaluate(
    model: Any,
    task: str | TaskData,
    *,
    parameters: Mapping[str, Any] | None = None,
    protocol: str = "fixed",
    seeds: int | Sequence[int] = 1,
    text: str = "none",
    channel: str | None = None,
    split: str | None = None,
    device: str = "cpu",
    out: Path | str = "runs",
    cache: Path | str | None = None,
    data_dir: Path | str | None = None,
    limit: int | None = None,
    probes: bool = False,
    service: Any = None,
    fresh: bool = False,
    progress: Progress = silent,
    step_progress: Progress = silent,
) -> Run:
    """Fit a model on a task, predict, score, and write a run folder.

    Args:
        model: a registered name, `file.py[:Class]`, `package.module:Class`, a predictions file, a predictor class or
            object, or a scikit-learn estimator.
        task: task id, or what `load_task` returned.
        parameters: hyper-parameters, keyword arguments of the model's `__init__`.
        protocol: `fixed` (the split), `cv` (10 folds over train and validation), `learning-curve`,
            `leave-cluster-out`, or a registered one; options may follow, as in `cv,repeats=3`.
        seeds: how many seeds, or which.
        text: text tier that the model sees.
        channel: density channel; the dataset's first by default.
        split: split scheme; `official` by default.
        device: `cpu` or a torch device name.
        out: the run folder is made inside this folder.
        cache: where finished fits are kept; an interrupted run goes on from there.
        data_dir: where datasets that are not packaged are.
        limit: predict only the first so many rows of each split; the others count as failed.
        probes: also predict altered inputs, to see what the model uses.
        service: for a model behind a service: how it is asked and what it may cost, as
            `ecdbench.baselines.llm.usage.Service`.
        fresh: run again what is finished already.
        progress: called with fits done, fits in all, and a few words.
        step_progress: the same, for the steps within a fit.

    Returns:
        The run: its folder and its result.

    Raises:
        DataError: unknown task or option, data absent or changed.
        ModelError: the model cannot be found or does not behave as a predictor.

    Example:
        >>> run = evaluate("composition-forest", "ecd-fcc/k_vrh")
        >>> run.result.scores["holdout"]["rmse"].value
    """
    data = _load(task, text=text, channel=channel, split=split, data_dir=data_dir)
    if limit is not None and limit < 1:
        raise EcdbenchError(f"limit must be a positive integer (got {limit})")
    setting = make_setting(
        seeds,
        device,
        out,
        cache,
        protocol=protocol,
        limit=limit,
        probes=probes,
        service=service,
        fresh=fresh,
        progress=progress,
        step_progress=step_progress,
    )
    return evaluate_model(resolve(model, parameters), data, setting)


def preview(
    model: Any,
    task: str | TaskData,
    *,
    parameters: Mapping[str, Any] | None = None,
    protocol: str = "fixed",
    seeds: int | Sequence[int] = 1,
    text: str = "none",
    channel: str | None = None,
    split: str | None = None,
    data_dir: Path | str | None = None,
    cache: Path | str | None = None,
    limit: int | None = None,
    probes: bool = False,
    service: Any = None,
) -> Iterator[dict[str, Any]]:
    """Every request that `evaluate` would send to a service; nothing is sent.

    Args:
        model: as for `evaluate`; and so are the others.
        task: task id, or what `load_task` returned.
        parameters: hyper-parameters.
        protocol: as for `evaluate`.
        seeds: how many seeds, or which.
        text: text tier that the model sees.
        channel: density channel.
        split: split scheme.
        data_dir: where datasets that are not packaged are.
        cache: where answers are kept.
        limit: only the first so many rows.
        probes: the requests of probes, too.
        service: how the model would be asked.

    Raises:
        ModelError: the model asks no service.
    """
    data = _load(task, text=text, channel=channel, split=split, data_dir=data_dir)
    setting = make_setting(seeds, "cpu", "runs", cache, protocol=protocol, limit=limit, probes=probes, service=service)
    return preview_model(resolve(model, parameters), data, setting)


def _load(task: str | TaskData, **options: Any) -> TaskData:
    return task if isinstance(task, TaskData) else load_task(task, **options)


def make_setting(
    seeds: int | Sequence[int],
    device: str,
    out: Path | str,
    cache: Path | str | None = None,
    **others: Any,
) -> Setting:
    """A setting from what a user gives.

    Raises:
        EcdbenchError: no seeds.
    """
    chosen = list(range(seeds)) if isinstance(seeds, int) else list(seeds)
    if not chosen or len(set(chosen)) < len(chosen) or not all(isinstance(s, int) and s >= 0 for s in chosen):
        raise EcdbenchError(f"invalid seeds={seeds!r}: expected a positive number, or distinct integers from 0")
    return Setting(
        seeds=chosen,
        device=device,
        out=Path(out).absolute(),  # a model may change the current folder
        cache=(Path(cache) if cache is not None else default_cache()).absolute(),
        **others,
    )
