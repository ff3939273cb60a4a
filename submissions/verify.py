"""Verify entries: nothing that an entry claims is taken on trust."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from ..benchmark.errors import EcdbenchError
from ..benchmark.metrics import Sample
from ..benchmark.predictor import Progress, silent
from ..benchmark.protocols import PROTOCOLS
from ..benchmark.results import PREDICTIONS, read_run
from ..benchmark.task import HOLDOUT
from .checks import check_card, check_claims, check_file, check_inputs, check_record
from .entry import EntryFolder, find_entries, open_entry, task_of
from .plausible import better_than_learnt, same_predictions, suspicions
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

    Raises:
        EcdbenchError: this machine can open no more files.
    """
    entry = None
    try:
        entry = open_entry(folder)
        if references.is_absent(entry.task):
            remedy = (
                f"`ecdbench {references.how_to_get(entry.task)}`, or name their folder by --data-dir or ECDBENCH_DATA."
            )
            return Verified(folder, entry, refusal=f"The data of {entry.task} are not here: {remedy}", checked=False)
        return Verified(folder, entry, _compared([_verified_run(entry, run, references) for run in entry.runs]))
    except Exception as error:  # whatever a stranger's files do, the other entries are read
        if _is_short_of_files(error):
            raise EcdbenchError(
                f"No more files can be opened, so {folder} could not be verified; allow more (ulimit -n 1024) or close "
                "other programs, and run the same command again."
            ) from error
        if isinstance(error, EcdbenchError):
            return Verified(folder, entry, refusal=str(error))
        reason = f"{type(error).__name__}: {str(error)[:200]}".partition("\n")[0]
        return Verified(folder, entry, refusal=f"{folder} cannot be read ({reason}).")


def _is_short_of_files(error: BaseException | None) -> bool:
    """Whether an error comes from this machine's bound on open files, and not from what was read."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in (errno.EMFILE, errno.ENFILE):
            return True
        error = error.__cause__ or error.__context__
    return False


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
    seen: dict[tuple[str, ...], list[tuple[Path, Sample]]] = {}
    for done, folder in enumerate(folders):
        progress(done, len(folders), folder.name)
        found = verify_entry(folder, references)
        if found.entry and not found.refusal:
            before = names.setdefault((found.entry.task, found.entry.card.slug), folder)
            if before != folder:
                reason = f"{folder} has the name of {before}; give the model a name of its own."
                found = Verified(folder, refusal=reason)
        yield _with_twins(found, seen)


def _with_twins(found: Verified, seen: dict[tuple[str, ...], list[tuple[Path, Sample]]]) -> Verified:
    """Name the first entry before that has the same predictions."""
    runs = []
    for run in found.runs:
        others = seen.setdefault((run.result.task, run.result.protocol, run.result.split), [])
        twins = (
            folder.name for folder, sample in others if folder != found.folder and same_predictions(run.sample, sample)
        )
        runs.append(replace(run, twin=next(twins, None)))
        others.append((found.folder, run.sample))
    return replace(found, runs=runs)


def _compared(runs: Sequence[LeaderboardEntry]) -> list[LeaderboardEntry]:
    """Runs of an entry, those on a holdout beside those by cross-validation of the same columns."""
    usual = {_columns(run): run for run in runs if PROTOCOLS.get(run.result.protocol).name == "cv"}
    found = []
    for run in runs:
        other = usual.get(_columns(run)) if run.main == HOLDOUT else None
        doubt = better_than_learnt(run, other) if other else None
        found.append(replace(run, suspicions=[*run.suspicions, doubt]) if doubt else run)
    return found


def _columns(run: LeaderboardEntry) -> tuple[str, str]:
    return run.result.text, run.result.channel


def _flags(run: LeaderboardEntry) -> list[str]:
    return [
        *run.suspicions,
        *([f"its predictions are those of {run.twin}, within 1 % of its error"] if run.twin else []),
    ]


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
