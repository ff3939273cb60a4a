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
from functools import cache
from pathlib import Path

from ..benchmark.errors import DataError
from ..benchmark.protocols import PROTOCOLS
from ..benchmark.results import CURVES, PREDICTIONS, RESULT
from ..tasks.catalogue import task_ids
from .card import CARD, Card, read_card

# The largest file of each kind, in bytes.
_LARGEST = {RESULT: 4 * 2**20, PREDICTIONS: 4 * 2**20, CURVES: 256 * 2**10}
_SCHEME = re.compile(r"[a-z0-9][a-z0-9_-]{0,30}")
_MOST_RUNS = 20
_REMEDY = "`ecdbench submit` writes entries as they should be."


@dataclass(frozen=True)
class EntryFolder:
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
        """The task that its location names."""
        return task_of(self.folder)


def accepted_entries() -> Path:
    """The folder of the accepted entries, which come with the package."""
    return Path(__file__).parent / "entries"


def folder_of(task: str) -> str:
    """How a task's folder is called."""
    return task.replace("/", "--")


def task_of(entry: Path) -> str:
    """The task that an entry's location names."""
    return _absolute(entry).parent.name.replace("--", "/")


def holds_entries(root: Path) -> bool:
    """Whether a folder is one of entries (or an entry), not of runs."""
    depths = ["*/*"] + (["*"] if _is_task(_absolute(root).name) else []) + (["."] if (root / CARD).is_file() else [])
    found = (file.parent for depth in depths for file in root.glob(f"{depth}/*/{RESULT}"))
    return any(_is_run(folder.name) for folder in found)


def find_entries(root: Path) -> Iterator[Path]:
    """Every path under `root` where an entry is, or seems to be meant.

    Args:
        root: an entry, a task's folder, or a folder with tasks' folders in it.
    """
    if not root.is_dir():
        yield root
    elif _is_task(_absolute(root).name):
        yield from _children(root)
    elif any(_is_task(name) for name in _names(root)):
        for child in _children(root):
            if _is_task(child.name) and child.is_dir() and not child.is_symlink():
                yield from _children(child)
            else:
                yield child
    elif _names(root):
        yield root


def open_entry(folder: Path) -> EntryFolder:
    """Open an entry: its files are where they should be and not too large, its card is a card of that name.

    Raises:
        DataError: there is anything that should not be there, or something is missing.
    """
    if folder.is_symlink() or not folder.is_dir():
        raise DataError(f"{folder} is not a folder; an entry is one (unpack an archive). {_REMEDY}")
    runs = []
    for name in _names(folder):
        path = folder / name
        if path.is_symlink():
            raise DataError(f"{path} is a link; an entry holds files only.")
        if name == CARD and path.is_file():
            continue
        if not (_is_run(name) and path.is_dir()):
            raise DataError(f"{path} does not belong in an entry. {_REMEDY}")
        _check_run_folder(path)
        runs.append(path)
    card = read_card(folder / CARD)
    path = _absolute(folder)
    if path.name != card.slug:
        raise DataError(f"{folder} does not have the name that its card gives it, {card.slug}; rename one of them.")
    if not _is_task(path.parent.name):
        raise DataError(f"{folder} does not lie in the folder of a task, such as ecd-fcc--k_vrh. {_REMEDY}")
    if not 0 < len(runs) <= _MOST_RUNS:
        raise DataError(f"{folder} has {len(runs)} runs; an entry has one to {_MOST_RUNS}. {_REMEDY}")
    return EntryFolder(folder, card, runs)


def _is_run(name: str) -> bool:
    """Whether a folder is named as that of a run: a protocol and a split scheme."""
    parts = name.split("-")
    cuts = [("-".join(parts[:at]), "-".join(parts[at:])) for at in range(1, len(parts))]
    return any(protocol in PROTOCOLS and _SCHEME.fullmatch(scheme) for protocol, scheme in cuts)


@cache
def _task_folders() -> frozenset[str]:
    return frozenset(folder_of(task) for task in task_ids())


def _is_task(name: str) -> bool:
    return name in _task_folders()


def _absolute(path: Path) -> Path:
    """A path whose last parts are names; links are not followed."""
    return Path(os.path.abspath(path))  # noqa: PTH100 - resolve() follows links, and loops of them fail


def _check_run_folder(folder: Path) -> None:
    names = _names(folder)
    for name in names:
        path = folder / name
        if name not in _LARGEST or path.is_symlink() or not path.is_file():
            raise DataError(f"{path} does not belong in an entry. {_REMEDY}")
        if (size := path.stat().st_size) > _LARGEST[name]:
            raise DataError(f"{path} has {size:,} bytes; at most {_LARGEST[name]:,} are accepted.")
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
