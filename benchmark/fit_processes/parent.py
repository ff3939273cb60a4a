"""The side of the process that evaluates: it starts servers, hands out jobs, and alone writes what comes back."""

from __future__ import annotations

import contextlib
import os
import pickle
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError

from ..child_processes import module_command
from ..errors import ModelError
from ..feature_store import FeatureStore
from ..fitting import FitAnswer, FitJob
from ..model import Model, Origin
from ..predictor import RunContext, silent
from .failure import raise_error
from .trace import Trace
from .wire import Wire

_local = threading.local()  # a thread that evaluates has servers of its own


@dataclass(frozen=True)
class FitProcesses:
    """Processes that are forks of a server which has imported the model's code.

    Attributes:
        hidden: folders that a model does not see, neither when it is imported nor in its fits.
        forks: whether there is such a server; without it, each fit is a new interpreter, as forks are not safe
            everywhere.
    """

    hidden: tuple[Path, ...] = ()
    forks: bool = sys.platform == "linux"

    @property
    def isolation(self) -> str:
        """What a result says of it."""
        return "full" if self.hidden else "process"

    def prepare(self) -> None:
        """Start the server that models are forked from."""
        if self.forks:
            _base()

    def describe(self, origin: Origin) -> Model:
        """What a model says of itself."""
        with _Child(self, origin) as child:
            child.send("describe")
            for message in child.messages():
                return _model_of(message, origin)
        raise AssertionError

    def fit(self, model: Model, job: FitJob, context: RunContext) -> tuple[FitAnswer, Trace]:
        """Fit and predict in a new process."""
        with self._started(model, "fit", job, context) as child:
            for message in child.messages(context):
                try:
                    return FitAnswer.model_validate(message["answer"]), Trace.model_validate(message["trace"])
                except (KeyError, ValidationError) as error:
                    raise ModelError(f"{model.name} sent something other than predictions; return numbers.") from error
        raise AssertionError

    def preview(self, model: Model, job: FitJob, context: RunContext) -> Iterator[dict[str, Any]]:
        """Every request of a fit."""
        with self._started(model, "preview", job, context) as child:
            for message in child.messages(context):
                if "request" not in message:
                    return
                yield message["request"]

    def _started(self, model: Model, task: str, job: FitJob, context: RunContext) -> _Child:
        assert model.origin is not None
        child = _Child(self, model.origin, model.name)
        own = replace(context, features=FeatureStore(Path()), progress=silent)
        child.send(task, replace(model, origin=None), job, own)
        return child


class _Child:
    """A process for one job; when this is left, it has ended, with everything that it started.

    Args:
        place: how it is started.
        origin: of the model.
        name: of the model, for messages.
    """

    def __init__(self, place: FitProcesses, origin: Origin, name: str = "") -> None:
        self._name, self._parameters = name or origin.spec or "The model", dict(origin.parameters)
        ours, theirs = socket.socketpair()
        try:
            self.server = _server_of(place, origin)
            if not self.server.fork(theirs):  # its file has changed
                self.server.close()
                self.server = _server_of(place, origin)
                self.server.fork(theirs)
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
        self._wire = Wire(ours)

    def send(self, task: str, *given: Any) -> None:
        """Hand the job over."""
        with contextlib.suppress(OSError):  # it has died, which is noticed below
            self._wire.send({"do": task}, _packed((self._parameters, *given)))

    def messages(self, context: RunContext | None = None) -> Iterator[dict[str, Any]]:
        """What it answers; progress and features are dealt with on the way.

        Raises:
            ModelError: it has ended without an answer, or raised this.
        """
        while True:
            ready, _, _ = select.select([self._wire, self.server.wire], [], [])
            if self._wire not in ready:
                message, _ = self.server.wire.receive()
                self._report_death(int(message.get("died", 0)))
            try:
                message, body = self._wire.receive()
            except EOFError:
                self._report_death(self.server.end())
            if "features" in message and context is not None:
                self._keep_features(message, bytes(body), context)
            elif not self._hear(message, context):
                yield message

    def _hear(self, message: dict[str, Any], context: RunContext | None) -> bool:
        """Deal with what may come at any time; whether it was that."""
        if "error" in message:
            raise_error(message)
        if "progress" in message and context is not None:
            done, total, words = message["progress"]
            context.progress(int(done), int(total), str(words))
            return True
        return False

    def _keep_features(self, message: dict[str, Any], keys: bytes, context: RunContext) -> None:
        """The other end of `RemoteFeatures.rows`."""
        wire = self._wire

        def compute(missing: Sequence[int]) -> Iterator[np.ndarray]:
            wire.send({"missing": list(missing)})
            while True:
                message, body = wire.receive()
                if "computed" in message:
                    return
                if "block" in message:
                    yield np.frombuffer(body, dtype=np.float32).reshape(message["block"])
                else:
                    self._hear(message, context)

        digests = [keys[start : start + 32] for start in range(0, len(keys), 32)]
        rows = context.features.rows(message["features"], digests, compute, bool(message.get("free_of_targets")))
        assert isinstance(rows.array, np.memmap) and rows.array.filename is not None
        with open(rows.array.filename, "rb") as file:  # noqa: PTH123
            wire.send({"shape": rows.array.shape}, rows.positions.astype(np.int64).tobytes())
            wire.send_descriptor(file.fileno())

    def _report_death(self, status: int) -> None:
        if status < 0:
            how = f"was ended by {signal.Signals(-status).name}"
            remedy = "the machine may have had too little memory" if -status == signal.SIGKILL else "its code crashed"
        else:
            how, remedy = f"ended its process with exit status {status}", "fit and predict must return"
        raise ModelError(f"{self._name} {how} and gave no predictions; {remedy}. What was finished is kept.")

    def __enter__(self) -> _Child:
        return self

    def __exit__(self, *_: object) -> None:
        self.server.end()
        self._wire.close()


def _model_of(message: dict[str, Any], origin: Origin) -> Model:
    try:
        said = dict(message["model"])
        inputs = None if said["inputs"] is None else tuple(map(str, said.pop("inputs")))
        said.pop("inputs", None)
        return Model(**said, inputs=inputs)
    except (KeyError, TypeError, ValueError) as error:
        raise ModelError(f"{origin.spec} says nothing sensible of itself.") from error


class _Server:
    """A server for one model.

    Args:
        wire: to it.
        process: the interpreter, where it is one of its own, for a single fit.

    Attributes:
        is_open: whether it can be asked.
        imported: the installed modules that its model names.
    """

    def __init__(self, wire: Wire, process: subprocess.Popen[bytes] | None = None) -> None:
        self.wire, self._process = wire, process
        self.is_open = True
        self.imported: list[str] = []
        self._is_busy = False

    def import_code(self, origin: Origin) -> None:
        """Import a model's code there, and the installed modules that it names.

        Raises:
            ModelError: it cannot be imported.
        """
        try:
            packed = _packed(replace(origin, parameters={}))
            self.wire.send({"import": None}, pickle.dumps((sys.path, _surroundings(), packed)))
            import datasets  # noqa: F401 - this process needs it for its jobs, and has time meanwhile

            message, _ = self.wire.receive()
        except (EOFError, OSError) as error:
            raise ModelError(
                f"{origin.spec or 'The model'} ended the process that imported it; leave out what exits at import."
            ) from error
        if "error" in message:
            raise_error(message)
        self.imported = list(message["imported"])

    def fork(self, connection: socket.socket) -> bool:
        """Fork a process that takes its job on a connection; False where the model's file has changed."""
        try:
            self.wire.send({"fork": None}, _surroundings())
            self.wire.send_descriptor(connection.fileno())
            message, _ = self.wire.receive()
        except (EOFError, OSError) as error:
            self.close()
            raise ModelError(
                "The process that imported the model has ended; run the same command again, what was finished is kept."
            ) from error
        self._is_busy = "forked" in message
        return self._is_busy

    def end(self) -> int:
        """End the fit and everything that it started; its exit status, negative for a signal."""
        if not self._is_busy:
            return 0
        self._is_busy = False
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self.close()
            return self._process.wait()
        with contextlib.suppress(EOFError, OSError):
            self.wire.send({"end": None})
            while True:
                message, _ = self.wire.receive()
                if "ended" in message:
                    return int(message["ended"])
        self.close()
        return -int(signal.SIGKILL)

    def close(self) -> None:
        """End it; the next fit has another one."""
        self.is_open = False
        self.wire.close()


def _server_of(place: FitProcesses, origin: Origin) -> _Server:
    """The server for a model: that of the last fit where it is of the same model, in the same surroundings."""
    if not place.forks:
        server = _Server(*_interpreter("alone"))
        server.import_code(origin)
        return server
    key = (os.getpid(), place, _packed(replace(origin, parameters={})), Path.cwd(), tuple(sys.path))
    known: tuple[Any, _Server] | None = getattr(_local, "server", None)
    if known is not None:
        if known[0] == key and known[1].is_open:
            return known[1]
        if known[0][0] == key[0]:
            known[1].close()
    ours, theirs = socket.socketpair()
    try:
        base = _base()
        if known is not None:
            base.send({"preload": known[1].imported})  # the next model may need them, too
        base.send({"serve": list(map(str, place.hidden))})
        base.send_descriptor(theirs.fileno())
    finally:
        theirs.close()
    server = _Server(Wire(ours))
    server.import_code(origin)
    _local.server = key, server
    return server


def _base() -> Wire:
    """The server of which those for models are forks; it has imported what every fit needs, and no model."""
    known: tuple[int, Wire, subprocess.Popen[bytes]] | None = getattr(_local, "base", None)
    if known is not None and known[0] == os.getpid() and known[2].poll() is None:
        return known[1]
    wire, process = _interpreter("base")
    _local.base = os.getpid(), wire, process
    return wire


def _interpreter(role: str) -> tuple[Wire, subprocess.Popen[bytes]]:
    ours, theirs = socket.socketpair()
    try:
        command = module_command(f"{__package__}.server", str(theirs.fileno()), role)
        process = subprocess.Popen(
            command, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL, start_new_session=True
        )
    finally:
        theirs.close()
    return Wire(ours), process


def _surroundings() -> bytes:
    return pickle.dumps((str(Path.cwd()), dict(os.environ)))


def _packed(value: Any) -> bytes:
    """A value as bytes for a process of ours, with the code of what is defined in a notebook or a function."""
    import cloudpickle  # type: ignore[import-untyped]

    try:
        return bytes(cloudpickle.dumps(value))
    except Exception as error:
        raise ModelError(
            f"The model cannot be handed to a process of its own ({type(error).__name__}: {error}); put it into a "
            "file, or fit it in this process (isolation='none')."
        ) from error
