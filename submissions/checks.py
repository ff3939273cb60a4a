"""What the record of an entry's run must be, before and after its scores are recomputed."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from ..benchmark.errors import DataError
from ..benchmark.protocol import PROTOCOLS
from ..benchmark.results import Result, Run
from ..benchmark.scoring import COVERAGE_THRESHOLD
from .claims import agree, first_difference
from .entry import RESULT, Entry
from .rescore import RescoredRun

_MOST_SEEDS = 100
_LONGEST = 4000  # characters of any text


def check_file(folder: Path, result: Result) -> None:
    """The file says what was read of it, and nothing else. Raises DataError."""

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len({name for name, _ in pairs}) < len(pairs):
            raise DataError(f"{folder / RESULT} names something twice; submit the run again.")
        return dict(pairs)

    said = json.loads((folder / RESULT).read_bytes(), object_pairs_hook=once)
    if said != result.model_dump(mode="json", exclude_unset=True):
        raise DataError(f"{folder / RESULT} says things that a result does not hold; submit the run again.")
    if longest := _longest(said):
        raise DataError(f"{folder / RESULT} has a text of {longest:,} characters; at most {_LONGEST:,} are accepted.")


def _longest(value: Any) -> int:
    """The length of a text that is too long; 0 where there is none."""
    if isinstance(value, str):
        return len(value) if len(value) > _LONGEST else 0
    parts = [*value, *value.values()] if isinstance(value, dict) else value if isinstance(value, list) else []
    return max((_longest(part) for part in parts), default=0)


def check_record(entry: Entry, folder: Path, result: Result) -> None:
    """What a record says of its place and kind. Raises DataError."""
    if result.task != entry.task:
        raise DataError(f"{folder} is a run on {result.task[:80]}, but lies in the folder of {entry.task}; move it.")
    if result.source not in (None, result.task):
        raise DataError(f"{folder} was made on another place's data ({result.source[:80]}); submit it again.")
    if result.protocol not in PROTOCOLS or folder.name != f"{result.protocol}-{result.split}":
        raise DataError(
            f"{folder} is called otherwise than its record says, {result.protocol[:30]}-{result.split[:30]}; rename it."
        )
    if result.limit is not None or result.stages or result.probes:
        raise DataError(
            f"{folder} holds scores that its predictions do not give (stages, probes or a limit); submit it with "
            "`ecdbench submit`, which leaves them out."
        )
    if result.seeds != list(range(len(result.seeds))) or len(result.seeds) > _MOST_SEEDS:
        raise DataError(f"{folder} has other seeds than 0, 1, ... (at most {_MOST_SEEDS}); evaluate with --seeds N.")
    if result.created > datetime.now(UTC) + timedelta(days=1):
        raise DataError(f"{folder} was made in the future ({result.created:%Y-%m-%d}); submit the run again.")


def check_claims(run: Run, found: RescoredRun) -> None:
    """Every number that can be recomputed, against the one that is claimed. Raises DataError."""
    result, folder = run.result, run.folder
    task = found.reference.data.task
    if result.text not in ("none", *task.text_tiers) or result.channel not in task.channels:
        raise DataError(f"{folder} names a text tier or density channel that {task.id} does not have.")
    if (result.target, result.unit) != (task.target.name, task.target.unit):
        raise DataError(f"{folder} states another target or unit than {task.target.name} in {task.target.unit}.")
    if set(result.scores) != set(found.scores):
        raise DataError(f"{folder} claims scores of other splits than it has predictions of.")
    for split, claimed in result.scores.items():
        if difference := first_difference(claimed, found.scores[split]):
            raise DataError(f"{folder}: the claimed scores do not follow from the predictions: {split} {difference}.")
    if not agree(result.train_range, found.reference.train_range):
        raise DataError(f"{folder}: train_range is {found.reference.train_range:.6g}, not {result.train_range:.6g}.")
    if result.rankable != (found.scores[found.main].coverage >= COVERAGE_THRESHOLD):
        raise DataError(f"{folder}: rankable does not follow from the coverage.")
    means, parts = found.reference.train_means, [(part.seed, part.fold) for part in result.parts]
    if sorted(parts) != sorted((seed, fold) for seed in result.seeds for fold in means):
        raise DataError(f"{folder} does not describe each of its parts (seed and fold) once.")
    for part in result.parts:
        if not agree(part.train_mean, means[part.fold]):
            raise DataError(f"{folder}: the train_mean of fold {part.fold} is {means[part.fold]:.6g}.")
        if part.n_train != len(found.reference.folds[part.fold].train):
            raise DataError(f"{folder}: n_train of fold {part.fold} is not the number of its training rows.")
