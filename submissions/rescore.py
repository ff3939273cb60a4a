"""Score a run again from its predictions and the data at hand; its own scores are not believed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from ..benchmark.errors import DataError, EcdbenchError, ServiceError
from ..benchmark.evaluator import score_frame
from ..benchmark.results import Run, read_run
from ..benchmark.scoring import Scored, Scores, score
from .reference import Place, Reference, References

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class RescoredRun:
    """A run with scores recomputed from its predictions.

    Attributes:
        run: the run as it was found.
        reference: what it was scored against.
        scored: predictions beside targets, by split; columns are in the order of `ids`.
    """

    run: Run
    reference: Reference
    scored: Mapping[str, Scored]

    @property
    def main(self) -> str:
        """The split that ranks."""
        return self.reference.main

    @property
    def ids(self) -> Mapping[str, list[str]]:
        """Ids of the columns of `scored`, by split."""
        return self.reference.ids

    @cached_property
    def scores(self) -> Mapping[str, Scores]:
        """Recomputed scores, by split; computed when they are asked for."""
        return _LazyScores(self)


class _LazyScores(Mapping[str, Scores]):
    """Scores by split; a board needs those of one split only."""

    def __init__(self, run: RescoredRun) -> None:
        self._run, self._known = run, dict[str, Scores]()

    def __getitem__(self, split: str) -> Scores:
        if split not in self._known:
            self._known[split] = score(self._run.scored[split], self._run.reference.train_range)
        return self._known[split]

    def __iter__(self) -> Iterator[str]:
        return iter(self._run.scored)

    def __len__(self) -> int:
        return len(self._run.scored)


def rescore(folder: Path, references: References | None = None) -> RescoredRun:
    """Read a run folder and recompute its scores from its predictions.

    Args:
        folder: the run folder.
        references: loads the tasks; runs that share it share their data.

    Raises:
        DataError: the run is not readable, was made on other data, does not predict every id of its protocol exactly
            once per seed, or says targets that are not the data's.
    """
    return rescore_run(read_run(folder), references or References())


def rescore_run(run: Run, references: References, frame: pd.DataFrame | None = None) -> RescoredRun:
    """As `rescore`, of a run that was read, and of its predictions where they were read, too."""
    try:
        return _rescored(run, references, frame)
    except (KeyError, TypeError, ValueError, IndexError) as error:
        reason = f"{type(error).__name__}: {error}".partition("\n")[0]
        raise DataError(f"{run.folder} cannot be scored again ({reason}); evaluate the model again.") from error


def _rescored(run: Run, references: References, frame: pd.DataFrame | None) -> RescoredRun:
    reference, result = _same_data(run, references), run.result
    frame = run.predictions() if frame is None else frame
    _check_complete(run, frame, reference)
    if "target_hash" in frame.columns:
        known = reference.target_hashes
        wrong = [m for m, said in zip(frame["id"], frame["target_hash"], strict=True) if known[m] != said]
        if wrong:
            raise DataError(f"{run.folder} was scored against another target for {wrong[0]}; evaluate the model again.")
    target = reference.data.task.target
    run = replace(run, result=run.result.model_copy(update={"unit": target.unit, "target": target.name}))
    means = {(seed, fold): mean for seed in result.seeds for fold, mean in reference.train_means.items()}
    scored = score_frame(reference.data, frame, means)
    found = RescoredRun(run, reference, {split: reference.shared(split, one) for split, one in scored.items()})
    _ = found.scores[found.main]  # what cannot be scored fails here
    return found


def _same_data(run: Run, references: References) -> Reference:
    """The data that a run was made on: the task of its name if the content is the same, else its source."""
    result = run.result
    places = dict.fromkeys((result.task, result.source or result.task))
    failure = None
    for place in places:
        try:
            found = references.of(place, result.split, result.protocol)
        except EcdbenchError as error:
            failure = failure or error
            continue
        task = found.data.task
        if task.id == result.task and dict(task.content_sha256) == result.content_sha256:
            return found
        failure = DataError(f"{run.folder} was made on another version of {result.task}; evaluate the model again.")
    if result.source not in (None, result.task) and not isinstance(failure, ServiceError):
        raise DataError(
            f"{run.folder} was made on {result.source}, and that dataset is not there, or another version of it; put "
            "it back, or evaluate the model again."
        ) from failure
    raise failure or DataError(f"{run.folder} names no task; evaluate the model again.")


def _check_complete(run: Run, frame: pd.DataFrame, reference: Reference) -> None:
    """Every id of the protocol, once per seed; splits that do not rank may be absent as a whole."""
    present = set(frame["split"]) | {reference.main}
    expected = frozenset[Place]().union(*(places for split, places in reference.places.items() if split in present))
    found: dict[int, list[Place]] = {}
    for seed, *place in zip(frame["seed"], frame["fold"], frame["split"], frame["id"], strict=True):
        found.setdefault(seed, []).append(tuple(place))
    seeds = run.result.seeds
    strange = sorted(set(found) ^ set(seeds))
    if strange or len(set(seeds)) < len(seeds):
        what = f"seed {strange[0]} is only on one side" if strange else "a seed is named twice"
        raise DataError(f"{run.folder}: result.json and the predictions name other seeds ({what}); evaluate again.")
    for seed, places in found.items():
        if len(places) != len(expected) or set(places) != expected:
            raise DataError(
                f"{run.folder} does not hold each prediction of its protocol once ({_odd(places, expected)}, "
                f"seed {seed}); evaluate the model again."
            )


def _odd(places: list[Place], expected: frozenset[Place]) -> str:
    """The first prediction that is missing, not asked for, or there twice."""
    there = set(places)
    if missing := sorted(expected - there):
        return f"{missing[0][2]} of {missing[0][1]} is missing"
    if extra := sorted(there - expected, key=str):
        return f"{extra[0][2]} of {extra[0][1]}, fold {extra[0][0]}, was not asked for"
    twice = next(place for place in sorted(places) if places.count(place) > 1)
    return f"{twice[2]} of {twice[1]} is there twice"
