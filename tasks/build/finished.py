"""What is finished of a build, on disk: one file for each crystal, so that a rerun goes on from there."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from pathlib import Path

import pyarrow as pa

from ...benchmark.storage import write_atomically, write_json
from .job import Failure, Outcome
from .row import unpack


class Finished:
    """Rows and failures in a folder, by id and by a print of all that they were made from.

    What was made from other properties or from another density is not found, and removed when it is made again.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def put(self, outcome: Outcome, made_from: str) -> None:
        """Keep an outcome in place of any earlier one of this crystal."""
        shelf, packed = self._shelf(outcome.id), outcome.row
        new = shelf / f"{outcome.id}.{made_from}.{'json' if packed is None else 'arrow'}"
        if packed is not None:
            write_atomically(new, lambda path: path.write_bytes(packed))
        elif outcome.failure is not None:
            write_json(new, asdict(outcome.failure))
        for path in shelf.iterdir():
            if path != new and path.stem.rpartition(".")[0] == outcome.id:
                path.unlink(missing_ok=True)

    def has(self, material: str, made_from: str, retry_all: bool) -> bool:
        """Whether a crystal is done: it has a row, or failed for good (unless everything is to be tried again)."""
        if self._path(material, made_from, "arrow").exists():
            return True
        failure = self.failure(material, made_from)
        return failure is not None and not failure.later and not retry_all

    def row(self, material: str, made_from: str) -> pa.Table | None:
        """The row of a crystal; None, and it is to be made again, where there is no whole one."""
        path = self._path(material, made_from, "arrow")
        try:
            return unpack(path.read_bytes())
        except FileNotFoundError:
            return None
        except pa.ArrowException:  # written half by a disk that lied
            path.unlink()
            return None

    def failure(self, material: str, made_from: str) -> Failure | None:
        """Why a crystal has no row."""
        try:
            return Failure(**json.loads(self._path(material, made_from, "json").read_text()))
        except (OSError, ValueError, TypeError):
            return None

    def _path(self, material: str, made_from: str, kind: str) -> Path:
        return self._shelf(material) / f"{material}.{made_from}.{kind}"

    def _shelf(self, material: str) -> Path:
        """One of 256 folders: file systems are slow with a hundred thousand files in one."""
        return self.folder / hashlib.sha256(material.encode()).hexdigest()[:2]
