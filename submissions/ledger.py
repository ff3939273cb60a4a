"""The ledger: how often each holdout was looked at.

One line for every version of an entry that predicts a holdout. Targets are public, so nothing keeps anybody from
looking more often than the ledger says: it counts what was submitted.
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Iterable, Iterator
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..benchmark.errors import DataError
from ..benchmark.storage import write_text
from ..benchmark.task import HOLDOUT

if TYPE_CHECKING:
    from .verify import Verified

LEDGER = "ledger.csv"


@dataclass(frozen=True)
class Look:
    """One version of an entry on one holdout.

    Attributes:
        task: the task.
        split: the split scheme.
        entry: the folder name of the entry.
        version: of the model, as its card says.
        predictions: the beginning of the sha256 of its predictions there: a changed model is another look, whatever its
            version says.
    """

    task: str
    split: str
    entry: str
    version: str
    predictions: str


def ledger_of(entries: Path) -> Path:
    """The ledger beside a folder of entries."""
    return entries.parent / LEDGER


def read_ledger(path: Path) -> list[Look]:
    """Every look so far, the first first; none where there is no ledger.

    Raises:
        DataError: the file is not a ledger.
    """
    if not path.is_file():
        return []
    try:
        rows = list(csv.reader(io.StringIO(path.read_text(encoding="utf-8"))))
        if rows[0] != [field.name for field in fields(Look)]:
            raise ValueError("other columns")
        return [Look(*row) for row in rows[1:]]
    except (OSError, ValueError, TypeError, IndexError) as error:
        raise DataError(f"{path} is not a ledger of looks at holdouts ({error}); restore it.") from error


def record_looks(path: Path, verified: Iterable[Verified]) -> list[Look]:
    """Add the looks of verified entries that are not in the ledger yet; nothing is ever taken out.

    Args:
        path: the ledger.
        verified: entries, of which those that were refused count nothing.

    Returns:
        What was added.
    """
    known = read_ledger(path)
    new = [look for one in verified for look in looks_of(one) if look not in known]
    new = list(dict.fromkeys(new))
    if new:
        buffer = io.StringIO()
        writer = csv.writer(buffer, lineterminator="\n")
        writer.writerow([field.name for field in fields(Look)])
        writer.writerows(map(astuple, [*known, *new]))
        write_text(path, buffer.getvalue())
    return new


def looks_of(verified: Verified) -> Iterator[Look]:
    """What an entry looked at; protocols that predict one holdout with the same numbers are one look."""
    for run in verified.runs if verified.entry and not verified.refusal else ():
        if HOLDOUT in run.samples and verified.entry:
            content = np.ascontiguousarray(run.samples[HOLDOUT].prediction).tobytes()
            digest = hashlib.sha256(content).hexdigest()[:16]
            yield Look(run.result.task, run.result.split, verified.folder.name, verified.entry.card.version, digest)


def count_looks(looks: Iterable[Look], task: str, split: str) -> tuple[int, int]:
    """How many entries looked at a holdout, and how often in all."""
    there = [look for look in looks if (look.task, look.split) == (task, split)]
    return len({look.entry for look in there}), len(there)
