"""Verify entries: nothing that an entry says of itself is believed."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from ..benchmark.errors import EcdbenchError
from ..benchmark.predictor import silent
from ..benchmark.results import read_run
from .agreement import check_card, check_inputs
from .checks import check_claims, check_file, check_record
from .curves import Curves, read_curves
from .entry import CURVES, PREDICTIONS, Entry, find_entries, open_entry, task_of
from .plausible import suspicions
from .reference import References
from .rescore import RescoredRun, rescore_run
from .table import check_rows, read_predictions


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
            remedy = (
                f"`ecdbench {references.how_to_get(entry.task)}`, or name their folder by --data-dir or ECDBENCH_DATA."
            )
            return Verified(folder, entry, refusal=f"The data of {entry.task} are not here: {remedy}", checked=False)
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
    progress: Callable[[int, int, str], None] = silent,
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
    check_file(folder, result)
    check_record(entry, folder, result)
    frame = read_predictions(folder / PREDICTIONS)
    rescored = rescore_run(run, references, frame)
    check_rows(folder / PREDICTIONS, frame)
    check_claims(run, rescored)
    check_card(entry.card, result, folder)
    check_inputs(entry.card, rescored)
    data = rescored.reference.data
    found = suspicions(rescored.scored[rescored.main], data.targets(data.ids))
    return VerifiedRun(rescored, read_curves(folder / CURVES), found)
