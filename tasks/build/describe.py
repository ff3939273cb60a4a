"""Descriptions of crystals by robocrystallographer (Ganose and Jain, MRS Commun. 9, 874 (2019)).

Its wording depends on Python's hash seed, it takes seconds, and it can fail or hang on an odd structure. So it runs
in a child process of fixed seed, under a time limit, and what it says is kept by the hash of the structure.
"""

from __future__ import annotations

import contextlib
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

from ...benchmark.errors import MissingExtraError
from ...benchmark.storage import write_text
from .material import MaterialError
from .text import structure_hash

TIME_LIMIT = 600.0


class Describer:
    """Describes structures; use it as a context, or call `close`.

    Args:
        cache: descriptions are kept in this folder, by version of robocrystallographer and hash of the structure.
        time_limit: seconds for one structure.
    """

    def __init__(self, cache: Path, time_limit: float = TIME_LIMIT) -> None:
        if importlib.util.find_spec("robocrys") is None:
            raise MissingExtraError("Describing crystals", "build")
        self._cache = cache / "descriptions" / f"robocrys-{importlib.metadata.version('robocrys')}"
        self._time_limit = time_limit
        self._child: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()

    def __call__(self, structure: dict[str, Any]) -> str:
        """The full description of a structure given as a pymatgen dict.

        Raises:
            MaterialError: robocrystallographer fails on it, or takes too long.
        """
        digest = structure_hash(structure)
        kept = self._cache / digest[:2] / f"{digest}.txt"
        with contextlib.suppress(OSError, UnicodeError):
            return kept.read_text(encoding="utf-8")
        with self._lock:
            answer = self._ask(structure)
        if "error" in answer:
            raise MaterialError("no text", f"robocrystallographer cannot describe the structure ({answer['error']})")
        write_text(kept, answer["text"])
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

    def _ask(self, structure: dict[str, Any]) -> dict[str, str]:
        if self._child is None or self._child.poll() is not None:
            self.close()
            self._child = _start()
        stdin, stdout = self._child.stdin, self._child.stdout
        assert stdin is not None and stdout is not None
        try:
            stdin.write(json.dumps(structure).encode() + b"\n")
            stdin.flush()
            if not select.select([stdout], [], [], self._time_limit)[0]:
                self.close()
                return {"error": f"no answer within {self._time_limit:g} s"}
            return json.loads(stdout.readline())
        except (OSError, ValueError):  # it died, and its answer is no answer
            self.close()
            return {"error": "it was ended, perhaps for want of memory"}


def _start() -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", __name__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONHASHSEED": "0"},
        start_new_session=True,  # Ctrl-C is for the parent, whose end closes the pipe and so ends the child
    )


def _describe(structure: dict[str, Any]) -> str:
    import warnings

    from pymatgen.core import Structure
    from robocrys import StructureCondenser, StructureDescriber

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return StructureDescriber().describe(StructureCondenser().condense_structure(Structure.from_dict(structure)))


def _serve() -> None:
    """Answer structures on standard input with descriptions on standard output, one JSON line each."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what libraries print is no answer
    for line in sys.stdin:
        try:
            answer = {"text": _describe(json.loads(line)).strip()}
        except Exception as error:  # noqa: BLE001 - whatever a library raises is the reason
            answer = {"error": f"{type(error).__name__}: {error}".partition("\n")[0][:200]}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


if __name__ == "__main__":
    _serve()
