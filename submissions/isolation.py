"""Reading strangers' files in a process of its own: one that crashes there, or eats memory, hurts nobody else."""

from __future__ import annotations

import contextlib
import multiprocessing
import signal
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any, TypeVar

from ..benchmark.errors import DataError

T = TypeVar("T")
_MOST_MEMORY = 4 * 2**30  # of addresses; the libraries alone reserve a good part
_MOST_SECONDS = 60
_pools: list[ProcessPoolExecutor] = []


def isolated(read: Callable[..., T], *arguments: Any) -> T:
    """What `read` returns or raises, from another process, which is kept for the next call.

    Args:
        read: a function of a module.
        arguments: what it is given.

    Raises:
        DataError: the process died, or did not answer in time.
    """
    if not _pools:
        _pools.append(ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), _prepare))
    try:
        return _pools[0].submit(read, *arguments).result(_MOST_SECONDS)
    except (BrokenProcessPool, TimeoutError) as error:
        _end(_pools.pop())
        shown = ", ".join(map(str, arguments))
        what = "took too long" if isinstance(error, TimeoutError) else "made the reader crash"
        raise DataError(f"{shown} {what}; submit the run again.") from error


def _prepare() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that waits
    with contextlib.suppress(ImportError, ValueError, OSError):  # not every system can
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (_MOST_MEMORY, _MOST_MEMORY))


def _end(pool: ProcessPoolExecutor) -> None:
    for process in list((pool._processes or {}).values()):
        process.kill()
    pool.shutdown(wait=False, cancel_futures=True)
