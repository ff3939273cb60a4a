"""Workers that die and sources that stop answering: the build continues, or stops with a clear message."""

import os
import signal
import time
from pathlib import Path

import pytest
from ecdbench.benchmark.errors import DataError, MissingExtraError, ServiceError
from ecdbench.tasks.builder.crystal import Crystal
from ecdbench.tasks.builder.row_jobs import run_jobs
from ecdbench.tasks.builder.row_store import Failure, Outcome
from ecdbench.tasks.builder.workers import LocalPool, open_pool

ROW = b"row"


def finish(crystal):
    return Outcome(crystal.id, ROW)


class DieOnce:
    """Kills its process at one crystal: the first time only, or every time."""

    def __init__(self, victim: str, folder: Path, always: bool) -> None:
        self.victim, self.mark, self.always = victim, folder / "died", always

    def __call__(self, crystal):
        if crystal.id == self.victim and (self.always or not self.mark.exists()):
            self.mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return Outcome(crystal.id, ROW)


def busy(crystal):
    return Outcome(crystal.id, None, Failure("source busy", "status 503.", retryable=True))


def defective(crystal):
    raise AttributeError("no such thing")


def run(job, count=30, workers=2):
    kept = {}
    with open_pool(workers, None) as pool:
        run_jobs((Crystal(f"m-{i}") for i in range(count)), job, pool, lambda m, o: kept.update({m.id: o}))
    return kept


def test_every_crystal_is_built_once():
    kept = run(finish)
    assert sorted(kept) == sorted(f"m-{i}" for i in range(30))
    assert all(outcome.row == ROW for outcome in kept.values())


def test_crystals_are_consumed_as_workers_become_free():
    handed_out = []

    def crystals():
        for i in range(50):
            handed_out.append(i)
            yield Crystal(f"m-{i}")

    seen = []
    with open_pool(2, None) as pool:
        run_jobs(crystals(), finish, pool, lambda *_: seen.append(len(handed_out) - len(seen)))
    assert max(seen) <= 4


def test_a_worker_that_dies_takes_no_other_crystal_down(tmp_path):
    kept = run(DieOnce("m-7", tmp_path, always=False))
    assert all(outcome.row == ROW for outcome in kept.values())
    assert len(kept) == 30


def test_a_crystal_that_kills_its_worker_is_recorded(tmp_path):
    kept = run(DieOnce("m-7", tmp_path, always=True))
    assert kept["m-7"].failure.kind == "worker died"
    assert kept["m-7"].failure.retryable
    assert sum(outcome.row == ROW for outcome in kept.values()) == 29


def test_a_source_that_does_not_answer_stops_the_build():
    with pytest.raises(ServiceError, match="source does not answer: status 503"):
        run(busy, count=1000)


def test_a_worker_without_the_package_is_reported():
    with pytest.raises(ServiceError, match="every worker needs the same version of ecdbench"):
        run(defective, count=1)


def lacking(crystal):
    raise MissingExtraError("Describing crystals", "build")


def test_an_extra_missing_on_a_worker_is_reported():
    with pytest.raises(MissingExtraError, match="Describing crystals needs the extra `build`"):
        run(lacking, count=2)


def test_closing_a_pool_ends_its_workers():
    pool = LocalPool(1)
    worker = pool.submit(os.getpid).result()
    pool.close()
    for _ in range(100):
        try:
            if "zombie" in Path(f"/proc/{worker}/status").read_text():
                break
        except OSError:  # it is gone
            break
        time.sleep(0.1)
    else:
        pytest.fail("the worker is still alive")


def test_an_invalid_scheduler_address():
    with pytest.raises(DataError, match="is not the address of a Dask scheduler"), open_pool(1, "nonsense"):
        pass


def test_a_scheduler_that_is_not_there():
    with (
        pytest.raises(ServiceError, match=r"scheduler at tcp://127\.0\.0\.1:9 does not answer"),
        open_pool(1, "tcp://127.0.0.1:9"),
    ):
        pass
