"""What is finished of a build, on disk: one file for each crystal, so that a rerun goes on from there."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import pyarrow as pa

from ...benchmark.storage import write_atomically, write_json
from .job import Failure, Outcome
from .row import unpack


class Finished:
    """Rows and failures by id, in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def put(self, outcome: Outcome) -> None:
        """Keep an outcome; a row replaces an earlier failure."""
        row, failure = self._row(outcome.id), self._failure(outcome.id)
        packed = outcome.row
        if packed is not None:
            write_atomically(row, lambda path: path.write_bytes(packed))
            failure.unlink(missing_ok=True)
        elif outcome.failure is not None:
            write_json(failure, asdict(outcome.failure))

    def has(self, material: str, retry_all: bool) -> bool:
        """Whether a crystal is done: it has a row, or failed for good (unless everything is to be tried again)."""
        if self._row(material).exists():
            return True
        failure = self.failure(material)
        return failure is not None and not failure.later and not retry_all

    def row(self, material: str) -> pa.Table | None:
        """The row of a crystal; None, and it is to be made again, where there is no whole one."""
        try:
            return unpack(self._row(material).read_bytes())
        except FileNotFoundError:
            return None
        except pa.ArrowException:  # written half by a disk that lied
            self._row(material).unlink()
            return None

    def failure(self, material: str) -> Failure | None:
        """Why a crystal has no row."""
        try:
            return Failure(**json.loads(self._failure(material).read_text()))
        except (OSError, ValueError, TypeError):
            return None

    def ids(self) -> Iterator[str]:
        """The ids that have a row, in order."""
        return iter(sorted(path.stem for path in self.folder.glob("rows/*/*.arrow")))

    def failed(self) -> Iterator[tuple[str, Failure]]:
        """The ids that failed, in order, and why."""
        for path in sorted(self.folder.glob("failures/*/*.json"), key=lambda path: path.stem):
            if failure := self.failure(path.stem):
                yield path.stem, failure

    def _row(self, material: str) -> Path:
        return self.folder / "rows" / _shelf(material) / f"{material}.arrow"

    def _failure(self, material: str) -> Path:
        return self.folder / "failures" / _shelf(material) / f"{material}.json"


def _shelf(material: str) -> str:
    """One of 256 folders: file systems are slow with a hundred thousand files in one."""
    return hashlib.sha256(material.encode()).hexdigest()[:2]
