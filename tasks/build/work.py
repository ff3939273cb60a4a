"""Hand crystals to workers, keep what comes back, and outlive what goes wrong with single ones."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass

from ...benchmark.errors import EcdbenchError, ServiceError
from .job import Failure, Outcome
from .material import Material
from .pools import Pool

# So many crystals in a row without an answer from the source mean that it is down.
_PATIENCE = 12


@dataclass
class Tally:
    """How far a build is: crystals in all, with a row, failed."""

    total: int
    done: int = 0
    failed: int = 0


def work_through(
    materials: Iterable[Material],
    job: Callable[[Material], Outcome],
    pool: Pool,
    keep: Callable[[Material, Outcome], None],
) -> None:
    """Run `job` on every crystal; only so many are in flight, whatever their number.

    A crystal whose worker died is tried once more, alone, after all others: so the one that kills its worker, as for
    want of memory, takes no other down with it.

    Args:
        materials: the crystals, read as they are needed.
        job: the work on one of them.
        pool: the workers.
        keep: called here with each crystal and its outcome.

    Raises:
        ServiceError: the source answered none of a dozen crystals in a row.
        EcdbenchError, OSError: what `job` raises: nothing more can be done.
    """
    silence = _Silence()
    suspects: list[Material] = []
    for material, outcome in _run(materials, job, pool, lambda: pool.slots):
        if outcome is None:
            suspects.append(material)
        else:
            silence.heard(outcome)
            keep(material, outcome)
    for material, outcome in _run(suspects, job, pool, lambda: 1):
        died = Failure("worker died", "its worker ended twice, perhaps for want of memory", later=True)
        keep(material, outcome or Outcome(material.id, None, died))


def _run(
    materials: Iterable[Material], job: Callable[[Material], Outcome], pool: Pool, slots: Callable[[], int]
) -> Iterator[tuple[Material, Outcome | None]]:
    """Each crystal with its outcome, or None where its worker died."""
    flying: dict[Future[Outcome], Material] = {}
    waiting = iter(materials)
    more = True
    while more or flying:
        while more and len(flying) < slots():
            material = next(waiting, None)
            if material is None:
                more = False
            else:
                flying[pool.submit(job, material)] = material
        for future in wait(flying, return_when=FIRST_COMPLETED).done:
            material = flying.pop(future)
            yield material, _outcome(future, pool)


def _outcome(future: Future[Outcome], pool: Pool) -> Outcome | None:
    error = future.exception()
    if error is None:
        return future.result()
    if pool.died(error):
        return None
    if isinstance(error, (EcdbenchError, OSError)):
        raise error
    raise ServiceError(
        f"A worker cannot do the work ({type(error).__name__}: {error}); every worker needs ecdbench with the extra "
        "`build`, in the version that is here."
    ) from error


class _Silence:
    """Counts crystals in a row that the source did not answer for."""

    def __init__(self) -> None:
        self._count = 0

    def heard(self, outcome: Outcome) -> None:
        busy = outcome.failure is not None and outcome.failure.kind == "source busy"
        self._count = self._count + 1 if busy else 0
        if busy and outcome.failure is not None and self._count >= _PATIENCE:
            raise ServiceError(
                f"The source does not answer: {outcome.failure.reason} What was finished is kept; give the same "
                "command again later."
            )
