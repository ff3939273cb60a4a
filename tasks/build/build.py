"""Build a dataset: crystals to workers, rows to disk, and at the end the folder."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ...benchmark.errors import DataError
from ...benchmark.storage import write_text
from ..folder import read_manifest
from .blueprint import Blueprint, schema_of
from .finished import Finished
from .job import Failure, Job, Outcome
from .material import Material, Source
from .pools import open_pool
from .work import work_through
from .write import BUILDER_VERSION, write_dataset

# The folder, inside a dataset's folder, where an unfinished build keeps what is finished.
WORK = ".work"
# Called with crystals done, in all, and failed.
Progress = Callable[[int, int, int], None]


@dataclass(frozen=True)
class Plan:
    """What is to be built.

    Attributes:
        blueprint: how rows are made.
        source: where densities come from.
        materials: the crystals, afresh at each call and one by one, in any order.
        total: how many there are.
        origin: what the manifest says of the source.
    """

    blueprint: Blueprint
    source: Source
    materials: Callable[[], Iterable[Material]]
    total: int
    origin: Mapping[str, Any] = field(default_factory=dict)

    def made_from(self, material: Material) -> str:
        """A print of all that a row is made from, besides the blueprint: what is known of the crystal, its density."""
        parts = [asdict(material), self.source.state(material)]
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:12]


@dataclass(frozen=True)
class Workforce:
    """Who does the work: processes here, or the workers of a Dask cluster."""

    workers: int = 1
    scheduler: str | None = None


@dataclass(frozen=True)
class Report:
    """How a build ended: rows, and crystals without one by kind of failure; `later` of them may be tried again."""

    folder: Path
    rows: int
    failures: Mapping[str, int]
    later: int


def build_dataset(
    plan: Plan,
    out: Path,
    cache: Path,
    force: Workforce | None = None,
    progress: Progress = lambda done, total, failed: None,
    retry_failed: bool = False,
) -> Report:
    """Build the dataset folder `out`, going on where an earlier build of the same plan stopped.

    Finished rows are kept in `out/.work` and used again by every later build with the same settings; the folder may
    be deleted. Crystals that failed for good are not tried again, those that failed for now are.

    Args:
        plan: what is to be built.
        out: the dataset folder.
        cache: descriptions are kept here.
        force: who works.
        progress: told how far the work is.
        retry_failed: try all crystals again that failed.

    Raises:
        DataError: no crystal became a row, or `out` holds something else.
        ServiceError: the source or the cluster does not answer; what was finished is kept.
        OSError: the disk is full or cannot be written; what was finished is kept.
    """
    check_target(out)
    force = force or Workforce()
    finished = Finished(out / WORK / work_key(plan.blueprint))
    count = Counter(done=0, failed=0)
    in_flight: dict[str, str] = {}  # what a row is made from is what was there when its work was handed out

    def open_materials() -> Iterator[Material]:
        for material in plan.materials():
            made_from = plan.made_from(material)
            if finished.has(material.id, made_from, retry_failed):
                count["failed"] += finished.failure(material.id, made_from) is not None
                count["done"] += 1
                progress(count["done"], plan.total, count["failed"])
            else:
                in_flight[material.id] = made_from
                yield material

    def keep(material: Material, outcome: Outcome) -> None:
        finished.put(outcome, in_flight.pop(material.id))
        count["done"] += 1
        count["failed"] += outcome.row is None
        progress(count["done"], plan.total, count["failed"])

    with open_pool(force.workers, force.scheduler) as pool:
        work_through(open_materials(), Job(plan.source, plan.blueprint, cache), pool, keep)
    return _assemble(plan, finished, out)


def check_target(out: Path) -> None:
    """Refuse a folder that holds what is not a dataset of ours: its README and other files would be replaced.

    Raises:
        DataError: it is a file, or a folder with something else in it.
    """
    if out.is_dir() and any(out.iterdir()) and not (out / WORK).is_dir():
        try:
            manifest = read_manifest(out)
        except DataError:
            manifest = {}
        if "builder_version" not in manifest and not {p.name for p in out.iterdir()} <= {"descriptions.json"}:
            raise DataError(f"{out} holds other files, which a build would replace; give a new folder with --out.")
    elif out.exists() and not out.is_dir():
        raise DataError(f"{out} is a file; give a folder with --out.")


def work_key(blueprint: Blueprint) -> str:
    """A name for everything that a row depends on besides its crystal; titles and licenses are no part of it."""
    parts = {
        "builder": BUILDER_VERSION,
        "plane": asdict(blueprint.plane),
        "regrid": blueprint.regrid,
        "schema": str(schema_of(blueprint)),
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:12]


def _assemble(plan: Plan, finished: Finished, out: Path) -> Report:
    wanted = dict(sorted((material.id, plan.made_from(material)) for material in plan.materials()))
    failed = {m: failure for m, made_from in wanted.items() if (failure := finished.failure(m, made_from))}
    kinds = dict(sorted(Counter(failure.kind for failure in failed.values()).items()))
    _write_failures(out / "failures.csv", failed)
    rows = (row for m, made_from in wanted.items() if (row := finished.row(m, made_from)) is not None)
    written = write_dataset(out, plan.blueprint, rows, {**plan.origin, "failures": kinds})
    # What is neither a row nor a failure changed at its source, or was damaged on disk, since it was made.
    changed = len(wanted) - len(failed) - written
    return Report(out, written, kinds, sum(failure.later for failure in failed.values()) + changed)


def _write_failures(path: Path, failed: Mapping[str, Failure]) -> None:
    if not failed:
        path.unlink(missing_ok=True)
        return
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(["id", "kind", "reason"])
    writer.writerows([material, failure.kind, failure.reason] for material, failure in failed.items())
    write_text(path, table.getvalue())
