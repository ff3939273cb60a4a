"""An entry on disk: a card and the runs of one model on one task.

    entries/ecd-fcc--k_vrh/my-model/card.yaml
    entries/ecd-fcc--k_vrh/my-model/fixed-official/{result.json, predictions.parquet, curves.json}

A run lies in a folder named by its protocol and split scheme. Files hold data only; nothing in them is executed.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ..benchmark.errors import DataError
from ..tasks.catalogue import task_ids
from .card import CARD, Card, read_card

RESULT, PREDICTIONS, CURVES = "result.json", "predictions.parquet", "curves.json"
# The largest file of each kind, in bytes.
_LARGEST = {RESULT: 4 * 2**20, PREDICTIONS: 8 * 2**20, CURVES: 256 * 2**10}
_RUN_FOLDER = re.compile(r"(fixed|cv)-[a-z0-9][a-z0-9_-]{0,30}")
_REMEDY = "`ecdbench submit` writes entries as they should be."


@dataclass(frozen=True)
class Entry:
    """An entry whose files are where they should be.

    Attributes:
        folder: its folder.
        card: its card.
        runs: its run folders, in order of name.
    """

    folder: Path
    card: Card
    runs: list[Path]

    @property
    def task(self) -> str:
        """The task that its place says."""
        return task_of(self.folder)


def accepted_entries() -> Path:
    """The folder of the accepted entries, which come with the package."""
    return Path(__file__).parent / "entries"


def folder_of(task: str) -> str:
    """How a task's folder is called."""
    return task.replace("/", "--")


def task_of(entry: Path) -> str:
    """The task that an entry's place says."""
    return entry.resolve().parent.name.replace("--", "/")


def find_entries(root: Path) -> Iterator[Path]:
    """Every place under `root` where an entry is, or seems to be meant.

    Args:
        root: an entry, a task's folder, or a folder with tasks' folders in it.
    """
    tasks = {folder_of(task) for task in task_ids()}
    if not root.is_dir() or (root / CARD).is_file() or any(_RUN_FOLDER.fullmatch(name) for name in _names(root)):
        yield root
    elif root.resolve().name in tasks:
        yield from _children(root)
    else:
        for child in _children(root):
            if child.name in tasks and child.is_dir():
                yield from _children(child)
            else:
                yield child


def open_entry(folder: Path) -> Entry:
    """Open an entry: its files are where they should be and not too large, its card is a card of that name.

    Raises:
        DataError: there is anything that should not be there, or something is missing.
    """
    if folder.is_symlink() or not folder.is_dir():
        raise DataError(f"{folder} is no folder; an entry is one (unpack an archive). {_REMEDY}")
    runs = []
    for name in _names(folder):
        place = folder / name
        if place.is_symlink():
            raise DataError(f"{place} is a link; an entry holds files only.")
        if name == CARD and place.is_file():
            continue
        if not (_RUN_FOLDER.fullmatch(name) and place.is_dir()):
            raise DataError(f"{place} does not belong into an entry. {_REMEDY}")
        _check_run_folder(place)
        runs.append(place)
    card = read_card(folder / CARD)
    if folder.resolve().name != card.slug:
        raise DataError(f"{folder} is called otherwise than its card says, {card.slug}; rename one of them.")
    if folder.resolve().parent.name not in {folder_of(task) for task in task_ids()}:
        raise DataError(
            f"{folder} does not lie in the folder of a task, such as {folder_of('ecd-fcc/k_vrh')}. {_REMEDY}"
        )
    if not runs:
        raise DataError(f"{folder} has a card and no run. {_REMEDY}")
    return Entry(folder, card, runs)


def _check_run_folder(folder: Path) -> None:
    names = _names(folder)
    for name in names:
        place = folder / name
        if name not in _LARGEST or place.is_symlink() or not place.is_file():
            raise DataError(f"{place} does not belong into an entry. {_REMEDY}")
        if (size := place.stat().st_size) > _LARGEST[name]:
            raise DataError(f"{place} has {size:,} bytes; at most {_LARGEST[name]:,} are accepted.")
    for name in (RESULT, PREDICTIONS):
        if name not in names:
            raise DataError(f"{folder} has no {name}. {_REMEDY}")


def _names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in os.scandir(folder))


def _children(folder: Path) -> Iterator[Path]:
    """What is in a folder, without hidden files and notes beside the entries."""
    for name in _names(folder):
        if not name.startswith(".") and not (name.endswith(".md") and (folder / name).is_file()):
            yield folder / name
