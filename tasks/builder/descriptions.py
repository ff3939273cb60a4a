"""Text descriptions of crystals, written by robocrystallographer (Ganose and Jain, MRS Commun. 9, 874 (2019)).

Its wording depends on Python's hash seed, a description takes seconds, and it can fail or hang on an unusual structure.
So it runs in a child process with a fixed seed and a time limit, and descriptions are cached by structure.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.metadata
import importlib.util
import json
import os
import select
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

from ...benchmark.child_processes import module_command
from ...benchmark.errors import MissingExtraError
from ...benchmark.storage import write_text
from .crystal import CrystalError

TIME_LIMIT = 600.0


def structure_hash(structure: dict[str, Any]) -> str:
    """The sha256 of what a description depends on: lattice, species and coordinates of a pymatgen structure dict."""
    sites = [[site["species"], [round(x, 6) for x in site["abc"]]] for site in structure["sites"]]
    lattice = [[round(x, 6) for x in row] for row in structure["lattice"]["matrix"]]
    return hashlib.sha256(json.dumps([lattice, sites], sort_keys=True).encode()).hexdigest()


class Describer:
    """Describes structures in a child process; use it as a context manager, or call `close`.

    Args:
        cache: folder for descriptions, filed by robocrystallographer's version and the hash of the structure.
        time_limit: seconds allowed for one structure.

    Raises:
        MissingExtraError: robocrystallographer is not installed.
    """

    def __init__(self, cache: Path, time_limit: float = TIME_LIMIT) -> None:
        if importlib.util.find_spec("robocrys") is None:
            raise MissingExtraError("Describing crystals", "build")
        self._cache = cache / "descriptions" / f"robocrys-{importlib.metadata.version('robocrys')}"
        self._time_limit = time_limit
        self._child: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()

    def __call__(self, structure: dict[str, Any]) -> str:
        """The full description of a pymatgen structure dict.

        Raises:
            CrystalError: robocrystallographer fails on it, or exceeds the time limit.
        """
        digest = structure_hash(structure)
        cached = self._cache / digest[:2] / f"{digest}.txt"
        with contextlib.suppress(OSError, UnicodeError):
            return cached.read_text(encoding="utf-8")
        with self._lock:
            answer = self._request(structure)
        if "error" in answer:
            raise CrystalError("no text", f"robocrystallographer cannot describe the structure ({answer['error']})")
        write_text(cached, answer["text"])
        return answer["text"]

    def close(self) -> None:
        """End the child process."""
        if self._child is not None:
            self._child.kill()
            self._child.wait()
            for pipe in (self._child.stdin, self._child.stdout):
                with contextlib.suppress(OSError):
                    pipe.close()  # type: ignore[union-attr]
            self._child = None

    def __enter__(self) -> Describer:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _request(self, structure: dict[str, Any]) -> dict[str, str]:
        if self._child is None or self._child.poll() is not None:
            self.close()
            self._child = _start_child()
        stdin, stdout = self._child.stdin, self._child.stdout
        assert stdin is not None and stdout is not None
        try:
            stdin.write(json.dumps(structure).encode() + b"\n")
            stdin.flush()
            if not select.select([stdout], [], [], self._time_limit)[0]:
                self.close()
                return {"error": f"no answer within {self._time_limit:g} s"}
            return json.loads(stdout.readline())
        except (OSError, ValueError):  # the child died; a partial line is not an answer
            self.close()
            return {"error": "its process was killed, possibly out of memory"}


def _start_child() -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        module_command(__name__),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONHASHSEED": "0"},
        start_new_session=True,  # Ctrl-C is for the parent; when that exits, the pipe closes and the child ends
    )


def _describe(structure: dict[str, Any]) -> str:
    import warnings

    from pymatgen.core import Structure
    from robocrys import StructureCondenser, StructureDescriber

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return StructureDescriber().describe(StructureCondenser().condense_structure(Structure.from_dict(structure)))


def _serve() -> None:
    """Read structures from standard input and write descriptions to standard output, one JSON line each."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # keep what libraries print out of the answers
    for line in sys.stdin:
        try:
            answer = {"text": _describe(json.loads(line)).strip()}
        except Exception as error:  # noqa: BLE001 - whatever a library raises is reported as the reason
            answer = {"error": f"{type(error).__name__}: {error}".partition("\n")[0][:200]}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


if __name__ == "__main__":
    _serve()
