"""Processes that are started from scratch: they import nothing from the current folder, which may be a stranger's."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Iterator
from multiprocessing import resource_tracker
from multiprocessing.context import SpawnContext, SpawnProcess

_VARIABLE = "PYTHONSAFEPATH"
_lock = threading.RLock()  # of the variable, which threads share


def module_command(module: str, *arguments: str) -> list[str]:
    """The command that runs a module of this package."""
    return [sys.executable, "-P", "-m", module, *arguments]


def spawn_context() -> SpawnContext:
    """`multiprocessing` with new interpreters, for pools of processes."""
    with _safe_path():
        resource_tracker.ensure_running()  # it is a process of its own, started with the first queue
    return _SafeSpawnContext()


class _SafeSpawnProcess(SpawnProcess):
    def start(self) -> None:
        with _safe_path():
            super().start()


class _SafeSpawnContext(SpawnContext):
    Process = _SafeSpawnProcess


@contextlib.contextmanager
def _safe_path() -> Iterator[None]:
    """`multiprocessing` passes no flags of its own to the interpreter, but children inherit the environment."""
    with _lock:
        before = os.environ.get(_VARIABLE)
        os.environ[_VARIABLE] = "1"
        try:
            yield
        finally:
            if before is None:
                del os.environ[_VARIABLE]
            else:
                os.environ[_VARIABLE] = before
