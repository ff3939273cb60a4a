"""Score a run again from its predictions and the data at hand; its own scores are not believed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ..benchmark.errors import DataError, EcdbenchError, ServiceError
from ..benchmark.evaluator import score_frame, train_range
from ..benchmark.protocol import Fold, folds_of, main_split
from ..benchmark.results import Run, read_run
from ..benchmark.scoring import Scored, Scores, score
from ..benchmark.task import TaskData
from ..tasks.load import load_task


@dataclass(frozen=True)
class RescoredRun:
    """A run with scores recomputed from its predictions.

    Attributes:
        run: the run as it was found.
        scored: predictions beside targets, by split.
        ids: ids of the columns of `scored`, by split.
        scores: recomputed scores, by split.
    """

    run: Run
    scored: Mapping[str, Scored]
    ids: Mapping[str, list[str]]
    scores: Mapping[str, Scores]

    @property
    def main(self) -> str:
        """The split that ranks."""
        return main_split(self.run.result.protocol)


def rescore(folder: Path, load: Callable[..., TaskData] = load_task) -> RescoredRun:
    """Read a run folder and recompute its scores from its predictions.

    Args:
        folder: the run folder.
        load: loads a task by id and `split`.

    Raises:
        DataError: the run is not readable, was made on other data, does not predict every id of its protocol exactly
            once per seed, or says targets that are not the data's.
    """
    try:
        return _rescore(read_run(folder), load)
    except (KeyError, TypeError, ValueError, IndexError) as error:
        reason = f"{type(error).__name__}: {error}".partition("\n")[0]
        raise DataError(f"{folder} cannot be scored again ({reason}); evaluate the model again.") from error


def _rescore(run: Run, load: Callable[..., TaskData]) -> RescoredRun:
    folder, result = run.folder, run.result
    data = _load_same(run, load)
    folds = {fold.number: fold for fold in folds_of(data, result.protocol)}
    frame = run.predictions()
    _check_complete(folder, run, folds)
    known = dict(zip(data.ids, data.targets(data.ids).tolist(), strict=True))
    wrong = [m for m, h in zip(frame["id"], frame["target_hash"], strict=True) if data.target_hash(m, known[m]) != h]
    if wrong:
        raise DataError(f"{folder} was scored against another target for {wrong[0]}; evaluate the model again.")
    means = _train_means(data, folds, result.seeds)
    scored = score_frame(data, frame, means)
    spread = train_range(data, result.protocol)
    ids = {str(split): sorted(set(part["id"])) for split, part in frame.groupby("split")}
    unit = data.task.target.unit
    run = replace(run, result=result.model_copy(update={"unit": unit, "target": data.task.target.name}))
    return RescoredRun(run, scored, ids, {split: score(part, spread) for split, part in scored.items()})


def _load_same(run: Run, load: Callable[..., TaskData]) -> TaskData:
    """The data that a run was made on: the task of its name if the content is the same, else its source."""
    result = run.result
    places = dict.fromkeys((result.task, result.source or result.task))
    failure = None
    for place in places:
        try:
            data = load(place, split=result.split)
        except EcdbenchError as error:
            failure = failure or error
            continue
        if data.task.id == result.task and dict(data.task.content_sha256) == result.content_sha256:
            return data
        failure = DataError(f"{run.folder} was made on another version of {result.task}; evaluate the model again.")
    if result.source not in (None, result.task) and not isinstance(failure, ServiceError):
        raise DataError(
            f"{run.folder} was made on {result.source}, and that dataset is not there, or another version of it; put "
            "it back, or evaluate the model again."
        ) from failure
    raise failure or DataError(f"{run.folder} names no task; evaluate the model again.")


def _check_complete(folder: Path, run: Run, folds: Mapping[int, Fold]) -> None:
    """Every id of the protocol, once per seed; splits that do not rank may be absent as a whole."""
    frame = run.predictions()
    found = sorted(zip(frame["seed"], frame["fold"], frame["split"], frame["id"], strict=True))
    present = set(frame["split"])
    expected = sorted(
        (seed, fold.number, split, material)
        for seed in run.result.seeds
        for fold in folds.values()
        for split, members in fold.predicted.items()
        if split in present or split == main_split(run.result.protocol)
        for material in members
    )
    if found != expected or len(set(run.result.seeds)) < len(run.result.seeds):
        odd = sorted(set(map(tuple, found)) ^ set(expected)) or found
        raise DataError(
            f"{folder} does not hold each prediction of its protocol once (first difference: {odd[0][-1]}, seed "
            f"{odd[0][0]}); evaluate the model again."
        )


def _train_means(data: TaskData, folds: Mapping[int, Fold], seeds: list[int]) -> dict[tuple[int, int], float]:
    means = {number: float(np.mean(data.targets(fold.train))) for number, fold in folds.items()}
    return {(seed, number): mean for number, mean in means.items() for seed in seeds}
