"""Verify entries: nothing that an entry says of itself is believed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from ..benchmark.errors import DataError, EcdbenchError
from ..benchmark.protocol import PROTOCOLS
from ..benchmark.results import Result, Run, read_run
from ..benchmark.scoring import COVERAGE_THRESHOLD
from .agreement import check_card
from .claims import agree, first_difference
from .curves import Curves, read_curves
from .entry import CURVES, PREDICTIONS, RESULT, Entry, find_entries, open_entry, task_of
from .isolation import isolated
from .plausible import suspicions
from .reference import References
from .rescore import RescoredRun, rescore_run
from .table import check_rows, read_table

_MOST_SEEDS = 100
_LONGEST = 4000  # characters of any text


@dataclass(frozen=True)
class VerifiedRun:
    """A run of an entry, its scores recomputed.

    Attributes:
        rescored: the run.
        curves: its learning curves, as the submitter states them.
        suspicions: what somebody should look at before the run is ranked.
        twin: the entry that has the very same predictions; that is to be looked at, and unranks neither.
    """

    rescored: RescoredRun
    curves: Curves | None
    suspicions: list[str]
    twin: str | None = None


@dataclass(frozen=True)
class Verified:
    """What became of an entry.

    Attributes:
        folder: where it is.
        entry: the entry; None where its files are not in order.
        runs: its runs; empty where it is refused.
        refusal: why it is not shown, in a sentence; None where it is.
        checked: whether its data are here, so that it could be recomputed.
    """

    folder: Path
    entry: Entry | None = None
    runs: list[VerifiedRun] = field(default_factory=list)
    refusal: str | None = None
    checked: bool = True

    @property
    def flags(self) -> list[str]:
        """What somebody should look at, by run."""
        return [f"{run.rescored.run.folder}: {text}" for run in self.runs for text in _flags(run)]

    @property
    def verdict(self) -> str:
        """`refused`, `unchecked` (its data are not here), `flagged` or `verified`."""
        if not self.checked:
            return "unchecked"
        return "refused" if self.refusal else "flagged" if self.flags else "verified"


def verify_entry(folder: Path, references: References) -> Verified:
    """Verify one entry; whatever is wrong with it, it comes back with the reason.

    Args:
        folder: the entry.
        references: loads the tasks.
    """
    entry = None
    try:
        entry = open_entry(folder)
        if references.is_absent(entry.task):
            remedy = "`ecdbench tasks` says how to get them, then give --data-dir or ECDBENCH_DATA."
            return Verified(folder, entry, refusal=f"The data of {entry.task} are not here; {remedy}", checked=False)
        return Verified(folder, entry, [_verified_run(entry, run, references) for run in entry.runs])
    except EcdbenchError as error:
        return Verified(folder, entry, refusal=str(error))
    except Exception as error:  # noqa: BLE001 - whatever a stranger's files do, the other entries are read
        reason = f"{type(error).__name__}: {str(error)[:200]}".partition("\n")[0]
        return Verified(folder, entry, refusal=f"{folder} cannot be read ({reason}).")


def verify_all(
    roots: Sequence[Path],
    references: References,
    wanted: Callable[[str], bool] = lambda _: True,
    progress: Callable[[int, int, str], None] = lambda *_: None,
) -> Iterator[Verified]:
    """Verify every entry under `roots`, one after another.

    Args:
        roots: entries, or folders with entries in them.
        references: loads the tasks.
        wanted: whether a task's entries are asked for.
        progress: called with entries done, entries in all, and the next one's name.
    """
    import pandas as pd  # noqa: F401 - an interrupt while it is first imported would look like a bad entry

    places = dict.fromkeys(place for root in roots for place in find_entries(root) if wanted(task_of(place)))
    names: dict[tuple[str, str], Path] = {}
    predictions: dict[bytes, Path] = {}
    for done, place in enumerate(places):
        progress(done, len(places), place.name)
        found = verify_entry(place, references)
        if found.entry and not found.refusal:
            before = names.setdefault((found.entry.task, found.entry.card.slug), place)
            if before != place:
                found = Verified(place, refusal=f"{place} has the name of {before}; give the model a name of its own.")
        yield _with_twins(found, predictions)


def _with_twins(found: Verified, known: dict[bytes, Path]) -> Verified:
    """Name the entry before that has the same predictions, to the last digit."""
    runs = []
    for run in found.runs:
        rescored = run.rescored
        content = rescored.scored[rescored.main].prediction
        result = rescored.run.result
        key = hashlib.sha256(f"{result.task} {result.protocol} {result.split}".encode() + content.tobytes()).digest()
        # One number for all rows is the same number for many models.
        before = known.setdefault(key, found.folder) if np.ptp(content) else found.folder
        runs.append(replace(run, twin=None if before == found.folder else before.name))
    return replace(found, runs=runs)


def _flags(run: VerifiedRun) -> list[str]:
    return [*run.suspicions, *([f"its predictions are those of {run.twin}"] if run.twin else [])]


def _verified_run(entry: Entry, folder: Path, references: References) -> VerifiedRun:
    run = read_run(folder)
    result = run.result
    _check_file(folder, result)
    _check_record(entry, folder, result)
    frame = isolated(read_table, folder / PREDICTIONS)
    rescored = rescore_run(run, references, frame)
    check_rows(folder / PREDICTIONS, frame)
    _check_claims(run, rescored)
    check_card(entry.card, result, folder)
    data = rescored.reference.data
    found = suspicions(rescored.scored[rescored.main], data.targets(data.ids))
    return VerifiedRun(rescored, read_curves(folder / CURVES), found)


def _check_file(folder: Path, result: Result) -> None:
    """The file says what was read of it, and nothing else."""

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


def _check_record(entry: Entry, folder: Path, result: Result) -> None:
    """What a record says of its place and kind."""
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


def _check_claims(run: Run, found: RescoredRun) -> None:
    """Every number that can be recomputed, against the one that is claimed."""
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
