"""Verify entries: nothing that an entry claims is taken on trust."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from ..benchmark.errors import EcdbenchError
from ..benchmark.predictor import Progress, silent
from ..benchmark.results import PREDICTIONS, read_run
from .checks import check_card, check_claims, check_file, check_inputs, check_record
from .entry import EntryFolder, find_entries, open_entry, task_of
from .plausible import suspicions
from .predictions import check_rows, read_predictions
from .reference import References
from .rescoring import LeaderboardEntry, rescore_run


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
    entry: EntryFolder | None = None
    runs: list[LeaderboardEntry] = field(default_factory=list)
    refusal: str | None = None
    checked: bool = True

    @property
    def flags(self) -> list[str]:
        """What a person should review, by run."""
        return [f"{run.folder}: {text}" for run in self.runs for text in _flags(run)]

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
    progress: Progress = silent,
) -> Iterator[Verified]:
    """Verify every entry under `roots`, one after another.

    Args:
        roots: entries, or folders with entries in them.
        references: loads the tasks.
        wanted: whether a task's entries are asked for.
        progress: called with entries done, entries in all, and the next one's name.
    """
    import pandas as pd  # noqa: F401 - an interrupt while it is first imported would look like a bad entry

    folders = dict.fromkeys(folder for root in roots for folder in find_entries(root) if wanted(task_of(folder)))
    names: dict[tuple[str, str], Path] = {}
    predictions: dict[bytes, Path] = {}
    for done, folder in enumerate(folders):
        progress(done, len(folders), folder.name)
        found = verify_entry(folder, references)
        if found.entry and not found.refusal:
            before = names.setdefault((found.entry.task, found.entry.card.slug), folder)
            if before != folder:
                reason = f"{folder} has the name of {before}; give the model a name of its own."
                found = Verified(folder, refusal=reason)
        yield _with_twins(found, predictions)


def _with_twins(found: Verified, known: dict[bytes, Path]) -> Verified:
    """Name the entry before that has the same predictions, to the last digit."""
    runs = []
    for run in found.runs:
        content, result = run.sample.prediction, run.result
        key = hashlib.sha256(f"{result.task} {result.protocol} {result.split}".encode() + content.tobytes()).digest()
        # One number for all rows is the same number for many models.
        before = known.setdefault(key, found.folder) if np.ptp(content) else found.folder
        runs.append(replace(run, twin=None if before == found.folder else before.name))
    return replace(found, runs=runs)


def _flags(run: LeaderboardEntry) -> list[str]:
    return [*run.suspicions, *([f"its predictions are those of {run.twin}"] if run.twin else [])]


def _verified_run(entry: EntryFolder, folder: Path, references: References) -> LeaderboardEntry:
    run = read_run(folder)
    check_file(folder, run.result)
    check_record(entry, folder, run.result)
    frame = read_predictions(folder / PREDICTIONS)
    found = rescore_run(run, references, frame)
    check_rows(folder / PREDICTIONS, frame)
    check_claims(run, found, entry.card)
    check_card(entry.card, run.result, folder)
    check_inputs(entry.card, found)
    doubts = suspicions(found.sample, found.reference.all_targets())
    return replace(found, card=entry.card, curves=run.curves(), suspicions=doubts)
