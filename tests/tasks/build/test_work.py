"""Workers that die, sources that fall silent: the work goes on, or stops with a sentence."""

import os
import signal
import time
from pathlib import Path

import pytest
from ecdbench.benchmark.errors import DataError, MissingExtraError, ServiceError
from ecdbench.tasks.build.job import Failure, Outcome
from ecdbench.tasks.build.material import Material
from ecdbench.tasks.build.pools import LocalPool, open_pool
from ecdbench.tasks.build.work import work_through

ROW = b"row"


def finish(material):
    return Outcome(material.id, ROW)


class DieOnce:
    """Kills its process at some crystal: the first time only, or whenever it comes."""

    def __init__(self, victim: str, folder: Path, always: bool) -> None:
        self.victim, self.mark, self.always = victim, folder / "died", always

    def __call__(self, material):
        if material.id == self.victim and (self.always or not self.mark.exists()):
            self.mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return Outcome(material.id, ROW)


def busy(material):
    return Outcome(material.id, None, Failure("source busy", "status 503.", later=True))


def defective(material):
    raise AttributeError("no such thing")


def run(job, count=30, workers=2):
    kept = {}
    with open_pool(workers, None) as pool:
        work_through((Material(f"m-{i}") for i in range(count)), job, pool, lambda m, o: kept.update({m.id: o}))
    return kept


def test_every_crystal_is_worked_on_once():
    kept = run(finish)
    assert sorted(kept) == sorted(f"m-{i}" for i in range(30))
    assert all(outcome.row == ROW for outcome in kept.values())


def test_crystals_are_read_as_they_are_needed():
    handed_out = []

    def materials():
        for i in range(50):
            handed_out.append(i)
            yield Material(f"m-{i}")

    seen = []
    with open_pool(2, None) as pool:
        work_through(materials(), finish, pool, lambda *_: seen.append(len(handed_out) - len(seen)))
    assert max(seen) <= 4


def test_a_worker_that_dies_takes_no_other_crystal_down(tmp_path):
    kept = run(DieOnce("m-7", tmp_path, always=False))
    assert all(outcome.row == ROW for outcome in kept.values())
    assert len(kept) == 30


def test_a_crystal_that_kills_its_worker_is_recorded(tmp_path):
    kept = run(DieOnce("m-7", tmp_path, always=True))
    assert kept["m-7"].failure.kind == "worker died"
    assert kept["m-7"].failure.later
    assert sum(outcome.row == ROW for outcome in kept.values()) == 29


def test_a_silent_source_stops_the_work():
    with pytest.raises(ServiceError, match="source does not answer: status 503"):
        run(busy, count=1000)


def test_a_worker_without_the_package_is_said():
    with pytest.raises(ServiceError, match="every worker needs ecdbench"):
        run(defective, count=1)


def lacking(material):
    raise MissingExtraError("Describing crystals", "build")


def test_what_a_worker_lacks_is_said():
    with pytest.raises(MissingExtraError, match="Describing crystals needs the extra `build`"):
        run(lacking, count=2)


def test_closing_a_pool_ends_its_workers():
    pool = LocalPool(1)
    worker = pool.submit(os.getpid).result()
    pool.close()
    for _ in range(100):
        if not Path(f"/proc/{worker}").exists() or "zombie" in Path(f"/proc/{worker}/status").read_text():
            break
        time.sleep(0.1)
    else:
        pytest.fail("the worker lives on")


def test_no_address():
    with pytest.raises(DataError, match="is no address of a Dask scheduler"), open_pool(1, "nonsense"):
        pass


def test_no_scheduler():
    with (
        pytest.raises(ServiceError, match=r"scheduler at tcp://127\.0\.0\.1:9 does not answer"),
        open_pool(1, "tcp://127.0.0.1:9"),
    ):
        pass
