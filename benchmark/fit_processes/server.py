"""The program of a server: it imports a model's code, and forks itself for each fit.

It is started with a socket. Requests on it: `serve` forks a server for one model, `import` imports its code, `fork`
forks a process for a fit, `preload` imports installed modules, `end` ends a fit and whatever it started.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import importlib
import importlib.util
import os
import pickle
import select
import signal
import socket
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ..errors import EcdbenchError
from ..loading import Code, import_code
from ..source import imported_names
from .child import answer_one
from .failure import describe_error
from .sandbox import hide
from .trace import INSTALLED
from .wire import Wire

_SET_PDEATHSIG, _SET_CHILD_SUBREAPER = 1, 36


def main() -> None:
    """Serve on the socket whose descriptor is the first argument; the second is `base`, or `alone` to fork nothing."""
    wire = Wire(socket.socket(fileno=int(sys.argv[1])))
    os.dup2(2, 1)  # what a model prints goes to standard error
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that evaluates
    import datasets  # noqa: F401 - every fit needs it

    _Server(wire, forks=sys.argv[2] != "alone").run()


class _Server:
    """One server process.

    Args:
        wire: to the process that evaluates.
        forks: whether fits are forks; otherwise this process makes one, and ends.
    """

    def __init__(self, wire: Wire, forks: bool = True) -> None:
        self._wire, self._forks = wire, forks
        self._code: Code | None = None
        self._source: list[tuple[Path, int, int]] = []
        self._refusal: EcdbenchError | None = None
        self._child = 0
        _prctl(_SET_CHILD_SUBREAPER, 1)  # what a fit leaves behind becomes a child of this process

    def run(self) -> None:
        """Answer until the other end is gone."""
        handlers: dict[str, Callable[[Any, bytes], None]] = {
            "serve": self._serve,
            "import": self._import,
            "fork": self._fork,
            "preload": lambda names, _: _preload(names),
            "end": lambda _, __: self._end(),
        }
        with contextlib.suppress(EOFError, OSError):
            while True:
                self._wait()
                message, body = self._wire.receive()
                ((name, value),) = message.items()
                handlers[name](value, bytes(body))
        self._kill()

    def _wait(self) -> None:
        """Until there is a request; tells meanwhile if the fit dies."""
        watched: list[Any] = [self._wire]
        handle = os.pidfd_open(self._child) if self._child else None
        while handle is not None:
            ready, _, _ = select.select([*watched, handle], [], [])
            if self._wire in ready:
                break
            os.close(handle)
            handle = None
            self._wire.send({"died": self._status()})
        if handle is not None:
            os.close(handle)

    def _serve(self, hidden: Sequence[str], _: bytes) -> None:
        wire = Wire(socket.socket(fileno=self._wire.receive_descriptor()))
        if os.fork():
            wire.close()
            return
        self._wire.close()
        _die_with_parent()
        server = _Server(wire)
        try:
            if hidden:
                hide([Path(folder) for folder in hidden])
        except EcdbenchError as error:
            server.fail(error)
        server.run()
        os._exit(0)

    def fail(self, error: EcdbenchError) -> None:
        """Refuse to import anything, for a reason."""
        self._refusal = error

    def _import(self, _: Any, body: bytes) -> None:
        try:
            if self._refusal:
                raise self._refusal
            path, surroundings, origin = pickle.loads(body)  # noqa: S301 - from the process that evaluates
            sys.path[:] = path
            _settle(surroundings)
            self._code = import_code(pickle.loads(origin))  # noqa: S301
            self._source = _stamp(self._code.files)
            named = _installed(self._code.files)
            _preload(named)
            gc.freeze()  # what is here already is not looked at again in each fork
            self._wire.send({"imported": named})
        except BaseException as error:  # noqa: BLE001 - raised again on the other side
            self._wire.send(describe_error(error))

    def _fork(self, _: Any, body: bytes) -> None:
        wire = Wire(socket.socket(fileno=self._wire.receive_descriptor()))
        assert self._code is not None
        if _stamp(self._code.files) != self._source:  # it has changed on disk since
            wire.close()
            self._wire.send({"stale": True})
            return
        self._child = os.fork() if self._forks else os.getpid()
        if self._forks and self._child:
            wire.close()
            self._wire.send({"forked": True})
            return
        if self._forks:
            os.setsid()
            _die_with_parent()
            self._wire.close()
        else:
            self._wire.send({"forked": True})
        signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            _settle(body)
            answer_one(wire, self._code)
        finally:
            os._exit(0)

    def _end(self) -> None:
        self._wire.send({"ended": self._kill()})

    def _kill(self) -> int:
        """End the fit, its process group, and whatever has left that; the fit's own exit status, 0 without a fit."""
        status = 0
        if self._child:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._child, signal.SIGKILL)
            status = self._status()
            os.waitpid(self._child, 0)
            self._child = 0
        while _has_children():
            for process in _children():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process, signal.SIGKILL)
            with contextlib.suppress(ChildProcessError):
                os.waitpid(-1, 0)
        return status

    def _status(self) -> int:
        """The exit status of the fit, negative for a signal; waits for it."""
        if not self._child:
            return 0
        found = os.waitid(os.P_PID, self._child, os.WEXITED | os.WNOWAIT)
        if found is None:
            return 0
        return found.si_status if found.si_code == os.CLD_EXITED else -found.si_status


def _settle(surroundings: bytes) -> None:
    """Take over the folder and the variables of the process that evaluates."""
    folder, environment = pickle.loads(surroundings)  # noqa: S301 - from the process that evaluates
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)


def _installed(files: Sequence[Path]) -> list[str]:
    """The installed modules that files import anywhere, also where they do so late: each fork finds them imported."""
    named = {name for file in files for name in imported_names(file)}
    tops = {name.partition(".")[0] for name in named} - sys.stdlib_module_names
    found = {top: importlib.util.find_spec(top) for top in tops}
    there = {top for top, spec in found.items() if spec and spec.origin and spec.origin.startswith(INSTALLED)}
    return sorted(name for name in named if name.partition(".")[0] in there)


def _stamp(files: Sequence[Path]) -> list[tuple[Path, int, int]]:
    """When files were last changed, and their sizes."""
    found = []
    for file in files:
        with contextlib.suppress(OSError):
            status = file.stat()
            found.append((file, status.st_mtime_ns, status.st_size))
    return found


def _preload(names: Sequence[str]) -> None:
    for name in names:
        with contextlib.suppress(Exception):
            importlib.import_module(name)


def _has_children() -> bool:
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def _children() -> list[int]:
    """The processes whose parent this one is."""
    found = []
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            with contextlib.suppress(OSError, ValueError, IndexError):
                fields = Path(entry.path, "stat").read_text().rpartition(")")[2].split()
                if int(fields[1]) == os.getpid():
                    found.append(int(entry.name))
    return found


def _die_with_parent() -> None:
    _prctl(_SET_PDEATHSIG, signal.SIGKILL)


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


if __name__ == "__main__":
    main()
