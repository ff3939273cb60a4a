"""Run the work on crystals in a pool of workers, collect the outcomes, and continue past individual failures."""

from __future__ import annotations

import errno
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

from ...benchmark.errors import DataError, EcdbenchError, ServiceError
from .blueprint import Blueprint
from .crystal import BusyError, Crystal, CrystalError, Source
from .descriptions import Describer
from .row import make_row
from .row_store import Failure, Outcome, pack
from .workers import Pool

# This many crystals in a row without an answer from the source mean that it is down.
_MAX_CONSECUTIVE_FAILURES = 12
_SOURCE_BUSY = "source busy"
# Disk errors that stop a build, because the next crystal would hit them too.
_FATAL_ERRNOS = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM}
_thread = threading.local()


@dataclass(frozen=True)
class RowJob:
    """The job on one crystal: fetch its density and make its row. It is pickled and sent to the workers.

    Attributes:
        source: where densities come from.
        blueprint: how rows are made.
        cache: folder for descriptions; workers may share one or have their own.
    """

    source: Source
    blueprint: Blueprint
    cache: Path

    def __call__(self, crystal: Crystal) -> Outcome:
        """Make one row; what concerns this crystal alone is returned as a failure.

        Raises:
            EcdbenchError: the source is unusable.
            OSError: the disk is full or not writable.
        """
        try:
            volume = self.source.density(crystal)
            return Outcome(crystal.id, pack(make_row(crystal, volume, self.blueprint, self._describer())))
        except CrystalError as error:
            failure = Failure(error.kind, str(error))
        except BusyError as error:
            failure = Failure(_SOURCE_BUSY, str(error), retryable=True)
        except DataError as error:
            failure = Failure("error", str(error))
        except EcdbenchError:
            raise
        except MemoryError:
            failure = Failure("memory", "there was not enough memory for it", retryable=True)
        except OSError as error:
            if error.errno in _FATAL_ERRNOS:
                raise
            failure = Failure("error", f"{type(error).__name__}: {error}", retryable=True)
        except Exception as error:  # noqa: BLE001 - one odd crystal must not stop a hundred thousand others
            failure = Failure("error", f"{type(error).__name__}: {error}".partition("\n")[0])
        return Outcome(crystal.id, None, failure)

    def _describer(self) -> Describer:
        """This thread's describer, kept between jobs: starting robocrystallographer takes seconds."""
        if getattr(_thread, "cache", None) != self.cache:
            _thread.cache, _thread.describer = self.cache, Describer(self.cache)
        return _thread.describer


class _HasId(Protocol):
    @property
    def id(self) -> str: ...


_Item = TypeVar("_Item", bound=_HasId)  # a crystal, or a structure to compute


def run_jobs(
    crystals: Iterable[_Item],
    job: Callable[[_Item], Outcome],
    pool: Pool,
    keep: Callable[[_Item, Outcome], None],
) -> None:
    """Run `job` on every crystal with a bounded number in flight, however many there are.

    A crystal whose worker died is retried once, alone, after all others, so that one that kills its worker (by running
    out of memory, say) does not take others down with it.

    Args:
        crystals: consumed as workers become free.
        job: the work on one crystal.
        pool: the workers.
        keep: called in this process with each crystal and its outcome.

    Raises:
        ServiceError: the source did not answer for a dozen crystals in a row, or a worker lacks the package.
        EcdbenchError, OSError: whatever `job` raises, since no crystal can succeed then.
    """
    unanswered = 0
    suspects: list[_Item] = []
    for crystal, outcome in _run(crystals, job, pool, lambda: pool.slots):
        if outcome is None:
            suspects.append(crystal)
            continue
        busy = outcome.failure if outcome.failure and outcome.failure.kind == _SOURCE_BUSY else None
        unanswered = unanswered + 1 if busy else 0
        if busy and unanswered >= _MAX_CONSECUTIVE_FAILURES:
            raise ServiceError(
                f"The source does not answer: {busy.reason} Finished rows are kept; run the same command again later."
            )
        keep(crystal, outcome)
    for crystal, outcome in _run(suspects, job, pool, lambda: 1):
        died = Failure("worker died", "its worker died twice, possibly out of memory", retryable=True)
        keep(crystal, outcome or Outcome(crystal.id, None, died))


def _run(
    crystals: Iterable[_Item], job: Callable[[_Item], Outcome], pool: Pool, slots: Callable[[], int]
) -> Iterator[tuple[_Item, Outcome | None]]:
    """Yield each crystal with its outcome, or None where its worker died."""
    in_flight: dict[Future[Outcome], _Item] = {}
    waiting = iter(crystals)
    more = True
    while more or in_flight:
        while more and len(in_flight) < slots():
            crystal = next(waiting, None)
            if crystal is None:
                more = False
            else:
                in_flight[pool.submit(job, crystal)] = crystal
        for future in wait(in_flight, return_when=FIRST_COMPLETED).done:
            crystal = in_flight.pop(future)
            yield crystal, _outcome(future, pool)


def _outcome(future: Future[Outcome], pool: Pool) -> Outcome | None:
    error = future.exception()
    if error is None:
        return future.result()
    if pool.worker_died(error):
        return None
    if isinstance(error, (EcdbenchError, OSError)):
        raise error
    raise ServiceError(
        f"A worker cannot do its job ({type(error).__name__}: {error}); every worker needs the same version of "
        "ecdbench as here, with the extra `build`."
    ) from error
