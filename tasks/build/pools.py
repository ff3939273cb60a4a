"""Workers for a build: processes of this machine, or those of a Dask cluster."""

from __future__ import annotations

import contextlib
import logging
import multiprocessing
import multiprocessing.connection
import os
import re
import signal
import threading
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Executor, Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any, Protocol

from ...benchmark.errors import DataError, MissingExtraError, ServiceError

_ADDRESS = re.compile(r"((tcp|tls|ucx|ws|wss)://)?[\w.\[\]:-]+:\d+")


class Pool(Protocol):
    """Workers, as `concurrent.futures` sees them."""

    @property
    def slots(self) -> int:
        """How many pieces of work are worth handing out at once."""
        ...

    def submit(self, work: Callable[..., Any], *arguments: Any) -> Future[Any]:
        """Hand out a piece of work."""
        ...

    def died(self, error: BaseException) -> bool:
        """Whether an error says that a worker ended under its work."""
        ...


class LocalPool:
    """Processes of this machine."""

    def __init__(self, workers: int) -> None:
        self.slots = workers
        self._executor = self._start()

    def submit(self, work: Callable[..., Any], *arguments: Any) -> Future[Any]:
        """Hand out a piece of work; a process that died has broken the whole pool, which is then made anew."""
        try:
            return self._executor.submit(work, *arguments)
        except BrokenProcessPool:
            self._executor = self._start()
            return self._executor.submit(work, *arguments)

    def died(self, error: BaseException) -> bool:
        """A dead process takes down what the others work on, too."""
        return isinstance(error, BrokenProcessPool)

    def close(self) -> None:
        """End the processes at once; what they work on is not finished."""
        processes = list((self._executor._processes or {}).values())
        self._executor.shutdown(wait=False, cancel_futures=True)
        for process in processes:
            process.terminate()

    def _start(self) -> ProcessPoolExecutor:
        """Processes are spawned, so that no thread or connection is inherited half."""
        context = multiprocessing.get_context("spawn")
        return ProcessPoolExecutor(self.slots, mp_context=context, initializer=_start_worker)


def _start_worker() -> None:
    """Leave Ctrl-C to the parent, compute with one thread, and end when the parent ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, "1")
    warnings.simplefilter("ignore", UserWarning)  # of libraries, about the crystals they are shown
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent.sentinel,), daemon=True).start()


def _end_with(sentinel: int) -> None:
    multiprocessing.connection.wait([sentinel])
    os._exit(1)


class DaskPool:
    """The workers of a Dask cluster, which may come and go."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._executor: Executor = client.get_executor(pure=False)

    @property
    def slots(self) -> int:
        """Two for each thread, so that no worker waits for the next piece."""
        return max(2, 2 * sum(self._client.nthreads().values()))

    def submit(self, work: Callable[..., Any], *arguments: Any) -> Future[Any]:
        """Hand out a piece of work."""
        return self._executor.submit(work, *arguments)

    def died(self, error: BaseException) -> bool:
        """Dask tries a piece on other workers first; only one that ended several of them comes back."""
        from distributed import KilledWorker

        return isinstance(error, KilledWorker)


@contextlib.contextmanager
def open_pool(workers: int, scheduler: str | None) -> Iterator[Pool]:
    """Workers for the time of a block.

    Args:
        workers: processes of this machine.
        scheduler: address of a Dask scheduler, as in `tcp://node:8786`; its workers are used instead.

    Raises:
        ServiceError: the scheduler does not answer, now or in the middle of the work.
    """
    if scheduler is None:
        pool = LocalPool(workers)
        try:
            yield pool
        finally:
            pool.close()
        return
    with _connected(scheduler) as client:
        yield DaskPool(client)


@contextlib.contextmanager
def _connected(scheduler: str) -> Iterator[Any]:
    try:
        import distributed
    except ImportError as error:
        raise MissingExtraError("Building on a Dask cluster", "build") from error
    if not _ADDRESS.fullmatch(scheduler):
        raise DataError(f"'{scheduler}' is no address of a Dask scheduler; write it as tcp://node:8786.")
    for name in ("distributed.client", "distributed.core"):  # what is lost is said below, in a sentence
        logging.getLogger(name).setLevel(logging.CRITICAL)
    try:
        client = distributed.Client(scheduler, timeout=10, set_as_default=False)
    except (OSError, ValueError, TimeoutError) as error:
        raise ServiceError(
            f"The Dask scheduler at {scheduler} does not answer ({type(error).__name__}); start it, or check the "
            "address, as in tcp://node:8786."
        ) from error
    try:
        yield client
    except (CancelledError, distributed.comm.CommClosedError) as error:
        raise ServiceError(
            f"The connection to the Dask scheduler at {scheduler} was lost; what was finished is kept: start the "
            "cluster and give the same command again."
        ) from error
    finally:
        client.close(timeout=5)
