"""Worker pools for a build: processes on this machine, or the workers of a Dask cluster."""

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

from ...benchmark.child_processes import spawn_context
from ...benchmark.errors import DataError, MissingExtraError, ServiceError

_ADDRESS = re.compile(r"((tcp|tls|ucx|ws|wss)://)?[\w.\[\]:-]+:\d+")


class Pool(Protocol):
    """A set of workers behind the interface of `concurrent.futures`."""

    @property
    def slots(self) -> int:
        """How many jobs are worth having in flight."""
        ...

    def submit(self, job: Callable[..., Any], *arguments: Any) -> Future[Any]:
        """Submit a job."""
        ...

    def worker_died(self, error: BaseException) -> bool:
        """Whether an error means that a worker died while running its job."""
        ...


class LocalPool:
    """Processes on this machine."""

    def __init__(self, workers: int) -> None:
        self.slots = workers
        self._executor = self._start()

    def submit(self, job: Callable[..., Any], *arguments: Any) -> Future[Any]:
        """Submit a job. The death of one process breaks the whole executor, which is then replaced."""
        try:
            return self._executor.submit(job, *arguments)
        except BrokenProcessPool:
            self._executor = self._start()
            return self._executor.submit(job, *arguments)

    def worker_died(self, error: BaseException) -> bool:
        """Whether a process died; the jobs of all other processes fail with it."""
        return isinstance(error, BrokenProcessPool)

    def close(self) -> None:
        """Terminate the processes at once, unfinished jobs included."""
        # Python 3.14 has `terminate_workers` for this; until then the attribute is the only way to the processes.
        processes = list((self._executor._processes or {}).values())
        self._executor.shutdown(wait=False, cancel_futures=True)
        for process in processes:
            process.terminate()

    def _start(self) -> ProcessPoolExecutor:
        """Processes are spawned, so that they inherit no half-copied thread or connection."""
        return ProcessPoolExecutor(self.slots, mp_context=spawn_context(), initializer=_start_worker)


def _start_worker() -> None:
    """Leave Ctrl-C to the parent, compute in one thread, and end when the parent ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, "1")
    warnings.simplefilter("ignore")  # of libraries, about single crystals; what is wrong with one is said as a failure
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_exit_with, args=(parent.sentinel,), daemon=True).start()


def _exit_with(sentinel: int) -> None:
    multiprocessing.connection.wait([sentinel])
    os._exit(1)


class DaskPool:
    """The workers of a Dask cluster, which may join and leave during the build."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._executor: Executor = client.get_executor(pure=False)

    @property
    def slots(self) -> int:
        """Two per thread, so that no worker waits for its next job."""
        return max(2, 2 * sum(self._client.nthreads().values()))

    def submit(self, job: Callable[..., Any], *arguments: Any) -> Future[Any]:
        """Submit a job."""
        return self._executor.submit(job, *arguments)

    def worker_died(self, error: BaseException) -> bool:
        """Whether several workers died; Dask retries a job on other workers before it gives up."""
        from distributed import KilledWorker

        return isinstance(error, KilledWorker)


@contextlib.contextmanager
def open_pool(workers: int, scheduler: str | None) -> Iterator[Pool]:
    """A pool for the duration of a `with` block.

    Args:
        workers: number of processes on this machine.
        scheduler: address of a Dask scheduler, such as `tcp://node:8786`; its workers are used instead.

    Raises:
        DataError: the address is invalid.
        ServiceError: the scheduler does not answer, at the start or later.
    """
    if scheduler is None:
        pool = LocalPool(workers)
        try:
            yield pool
        finally:
            pool.close()
        return
    with _connect(scheduler) as client:
        yield DaskPool(client)


@contextlib.contextmanager
def _connect(scheduler: str) -> Iterator[Any]:
    try:
        import distributed
    except ImportError as error:
        raise MissingExtraError("Building on a Dask cluster", "build") from error
    if not _ADDRESS.fullmatch(scheduler):
        raise DataError(f"'{scheduler}' is not the address of a Dask scheduler; write it like tcp://node:8786.")
    for name in ("distributed.client", "distributed.core"):  # a lost connection is reported below, in one sentence
        logging.getLogger(name).setLevel(logging.CRITICAL)
    try:
        client = distributed.Client(scheduler, timeout=10, set_as_default=False)
    except (OSError, ValueError, TimeoutError) as error:
        raise ServiceError(
            f"The Dask scheduler at {scheduler} does not answer ({type(error).__name__}); start it, or check the "
            "address, which looks like tcp://node:8786."
        ) from error
    try:
        yield client
    except (CancelledError, distributed.comm.CommClosedError) as error:
        raise ServiceError(
            f"The connection to the Dask scheduler at {scheduler} was lost. Finished rows are kept: restart the "
            "cluster and run the same command again."
        ) from error
    finally:
        client.close(timeout=5)
