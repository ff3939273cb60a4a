"""A process of its own for files of strangers: what takes too much memory or time, or crashes, takes nobody along."""

from __future__ import annotations

import contextlib
import os
import pickle
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, TypeVar

T = TypeVar("T")
MOST_MEMORY = 2**30  # of data; what is reserved and never used does not count
_MOST_SECONDS = 60.0
# Each thread reserves memory, and so do Arrow's own allocators, far more than they use.
_THRIFTY = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "ARROW_DEFAULT_MEMORY_POOL": "system"}


class LimitedProcess:
    """Calls functions in another process, which is started by the first call and kept for the next ones.

    Use it as a context manager, or call `close`. The process is this Python, has the same import path, and does not run
    the main module again, so that scripts without `if __name__ == "__main__"` can use it.
    """

    def __init__(self) -> None:
        self._child: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()

    def __call__(self, function: Callable[..., T], *arguments: Any, seconds: float | None = None) -> T:
        """What a function of a module returns or raises there.

        Args:
            function: it, its arguments and what it returns can be pickled.
            arguments: what it is given.
            seconds: how long it may take, a minute by default.

        Raises:
            TimeoutError: it did not answer in time.
            ChildProcessError: the process died.
            MemoryError: it asked for more than `MOST_MEMORY`.
        """
        with self._lock:
            succeeded, outcome = self._ask((function, arguments), _MOST_SECONDS if seconds is None else seconds)
            if isinstance(outcome, MemoryError):
                self.close()  # what it still holds is of no use
        if not succeeded:
            raise outcome
        return outcome

    def close(self) -> None:
        """End the process."""
        if self._child is not None:
            self._child.kill()
            with contextlib.suppress(OSError):
                self._child.communicate()
            self._child = None

    def __enter__(self) -> LimitedProcess:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _ask(self, request: Any, seconds: float) -> tuple[bool, Any]:
        child = self._child = self._child or _start_child()
        assert child.stdin is not None and child.stdout is not None
        timer, start = threading.Timer(seconds, child.kill), time.monotonic()
        timer.start()
        try:
            pickle.dump(request, child.stdin)
            child.stdin.flush()
            return pickle.load(child.stdout)  # noqa: S301 - our own process wrote it
        except BaseException as error:  # an interrupt, too, leaves an answer behind that nobody asks for any more
            self.close()
            if not isinstance(error, Exception):
                raise
            if time.monotonic() - start >= seconds:
                raise TimeoutError(f"no answer within {seconds:g} s") from error
            raise ChildProcessError("the process died") from error
        finally:
            timer.cancel()


def _start_child() -> subprocess.Popen[bytes]:
    code = f"import sys; sys.path[:] = {sys.path!r}; from {__name__} import serve; serve()"
    return subprocess.Popen(
        [sys.executable, "-P", "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, **_THRIFTY},
        start_new_session=True,  # Ctrl-C is for the process that waits
    )


def serve() -> None:
    """Answer requests on standard input until it is closed."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # keep what libraries print out of the answers
    with contextlib.suppress(ImportError, ValueError, OSError):  # not every system can
        import resource

        resource.setrlimit(resource.RLIMIT_DATA, (MOST_MEMORY, MOST_MEMORY))
    while True:
        try:
            function, arguments = pickle.load(sys.stdin.buffer)  # noqa: S301 - the process that waits wrote it
        except EOFError:
            return
        answer: tuple[bool, Any]
        try:
            answer = True, function(*arguments)
        except Exception as error:  # noqa: BLE001 - whatever it raises is raised where it was called
            answer = False, error
        answers.write(pickle.dumps(answer))
        answers.flush()
