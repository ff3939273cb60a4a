"""What this machine remembers of the runs it made: whether they were changed since, and how often a holdout was scored.

It lies in the cache, apart from the runs, so that what rewrites a run's files is noticed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from filelock import FileLock

from .seals import AlteredError, Sealer
from .storage import sha256_file


class RunLedger:
    """Records in a cache.

    Args:
        cache: its folder.
    """

    def __init__(self, cache: Path) -> None:
        self._cache = cache
        self._sealer = Sealer(cache)

    def remember(self, folder: Path, names: Iterable[str]) -> None:
        """Keep the hashes of some files of a run."""
        present = [name for name in names if (folder / name).is_file()]
        self._write(self._of_run(folder), {name: sha256_file(folder / name) for name in present})

    def changed(self, folder: Path) -> list[str]:
        """The files of a run that are not as they were when it was made here; none of a run from elsewhere."""
        stated = self._read(self._of_run(folder))
        return [name for name, digest in stated.items() if _digest(folder / name) != digest]

    def count_score(self, task: str, scheme: str, model: str, version: str) -> int:
        """Count that a version of a model was scored on the holdout of a task; how many versions have been.

        Args:
            task: task id.
            scheme: split scheme.
            model: what the model is found by.
            version: its code and parameters; the same version counts once.
        """
        path = self._cache / "holdouts" / f"{_name(task, scheme, model)}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{path}.lock"):
            versions = dict.fromkeys([*self._read(path).get("versions", []), version])
            self._write(path, {"task": task, "split": scheme, "model": model, "versions": list(versions)})
        return len(versions)

    def _of_run(self, folder: Path) -> Path:
        return self._cache / "runs" / f"{_name(str(folder.resolve()))}.json"

    def _write(self, path: Path, record: dict[str, Any]) -> None:
        self._sealer.write(path, json.dumps(record))

    def _read(self, path: Path) -> dict[str, Any]:
        try:
            return dict(json.loads(self._sealer.opened(path)))
        except (OSError, AlteredError):
            return {}


def _name(*parts: str) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]


def _digest(file: Path) -> str | None:
    return sha256_file(file) if file.is_file() else None
