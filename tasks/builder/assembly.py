"""Build a dataset: crystals go to workers, finished rows to disk, and all rows into the dataset folder."""

from __future__ import annotations

import csv
import hashlib
import heapq
import io
import itertools
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from ...benchmark.errors import DataError
from ...benchmark.storage import write_text
from ...benchmark.task import SPLITS
from ..datasets.arrow import row_schema
from ..datasets.folder import DatasetFolder
from ..datasets.manifest import read_manifest
from .blueprint import Blueprint
from .crystal import Crystal, Source
from .row_jobs import RowJob, run_jobs
from .row_store import Failure, Outcome, RowStore
from .workers import open_pool
from .writer import BUILDER_VERSION, WORK, put_in_place, write_dataset

_OLD_ROWS_AT_ONCE = 256
# Called with crystals done, crystals in all, and crystals failed.
Progress = Callable[[int, int, int], None]


@dataclass(frozen=True)
class Plan:
    """What is to be built.

    Attributes:
        blueprint: how rows are made.
        source: where densities come from.
        crystals: called for a fresh iterator over the crystals, in any order.
        total: number of crystals.
        origin: what the manifest states about the source.
        adds: whether rows that the dataset folder holds are kept, unless the source gave new ones in their place.
    """

    blueprint: Blueprint
    source: Source
    crystals: Callable[[], Iterable[Crystal]]
    total: int
    origin: Mapping[str, Any] = field(default_factory=dict)
    adds: bool = False

    def row_key(self, crystal: Crystal) -> str:
        """A hash of everything a row is made from, besides the blueprint: the crystal's data and its density."""
        parts = [asdict(crystal), self.source.version(crystal)]
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:12]


@dataclass(frozen=True)
class Report:
    """How a build ended.

    Attributes:
        folder: the dataset folder.
        rows: number of rows.
        failures: number of crystals without a row, by kind of failure.
        retryable: how many of them may succeed at another try.
    """

    folder: Path
    rows: int
    failures: Mapping[str, int]
    retryable: int


def build_dataset(
    plan: Plan,
    out: Path,
    cache: Path,
    *,
    workers: int = 1,
    scheduler: str | None = None,
    progress: Progress = lambda done, total, failed: None,
    retry_failed: bool = False,
) -> Report:
    """Build the dataset folder `out`, resuming where an earlier build of the same plan stopped.

    Finished rows are kept in `out/.work` and reused by every later build with the same settings; the folder may be
    deleted. Permanent failures are not tried again, temporary ones are.

    Args:
        plan: what is to be built.
        out: the dataset folder.
        cache: folder for descriptions.
        workers: number of processes on this machine.
        scheduler: address of a Dask scheduler whose workers are used instead.
        progress: told how far the build is.
        retry_failed: retry permanent failures, too.

    Raises:
        DataError: no crystal became a row, or `out` holds something else.
        ServiceError: the source or the cluster does not answer; finished rows are kept.
        OSError: the disk is full or not writable; finished rows are kept.
    """
    check_output_folder(out)
    put_in_place(out)  # what an interrupted build had finished
    if plan.adds:
        _check_same_form(plan.blueprint, out)
    store = RowStore(out / WORK / settings_key(plan.blueprint))
    count = Counter(done=0, failed=0)
    in_flight: dict[str, str] = {}  # keys as of when the work was handed out: the source may change meanwhile

    def unfinished() -> Iterator[Crystal]:
        for crystal in plan.crystals():
            key = plan.row_key(crystal)
            if store.is_done(crystal.id, key, retry_failed):
                count["failed"] += store.failure(crystal.id, key) is not None
                count["done"] += 1
                progress(count["done"], plan.total, count["failed"])
            else:
                in_flight[crystal.id] = key
                yield crystal

    def keep(crystal: Crystal, outcome: Outcome) -> None:
        store.put(outcome, in_flight.pop(crystal.id))
        count["done"] += 1
        count["failed"] += outcome.row is None
        progress(count["done"], plan.total, count["failed"])

    with open_pool(workers, scheduler) as pool:
        run_jobs(unfinished(), RowJob(plan.source, plan.blueprint, cache), pool, keep)
    return _assemble(plan, store, out)


def check_output_folder(out: Path) -> None:
    """Refuse a folder that holds anything but a dataset of ours, since its files would be replaced.

    Raises:
        DataError: it is a file, or a folder with something else in it.
    """
    if out.is_dir() and any(out.iterdir()) and not (out / WORK).is_dir():
        try:
            manifest = read_manifest(out)
        except DataError:
            manifest = {}
        if "builder_version" not in manifest:
            raise DataError(f"{out} holds other files, which a build would replace; give a new folder with --out.")
    elif out.exists() and not out.is_dir():
        raise DataError(f"{out} is a file; give a folder with --out.")


def settings_key(blueprint: Blueprint) -> str:
    """A hash of everything a row depends on besides its crystal; titles and licenses do not count."""
    parts = {
        "builder": BUILDER_VERSION,
        "schema": str(row_schema(blueprint.facts.columns)),
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:12]


def _assemble(plan: Plan, store: RowStore, out: Path) -> Report:
    wanted = dict(sorted((crystal.id, plan.row_key(crystal)) for crystal in plan.crystals()))
    failed = {one: failure for one, key in wanted.items() if (failure := store.failure(one, key))}
    kinds = dict(sorted(Counter(failure.kind for failure in failed.values()).items()))
    write_failures(out / "failures.csv", failed)
    made: set[str] = set()

    def new_rows() -> Iterator[tuple[str, pa.Table]]:
        for one, key in wanted.items():
            if (row := store.row(one, key)) is not None:
                made.add(one)
                yield one, row

    old_rows = _old_rows(out) if plan.adds else iter(())
    # New rows come first among those of one id, so an old one is kept where no new one was made.
    both = heapq.merge(new_rows(), old_rows, key=lambda item: item[0])
    rows = (next(same)[1] for _, same in itertools.groupby(both, key=lambda item: item[0]))
    written = write_dataset(out, plan.blueprint, rows, {**plan.origin, "failures": kinds})
    # Neither a row nor a failure: it changed at the source, or was damaged on disk, after it was made.
    changed = len(wanted) - len(failed) - len(made)
    return Report(out, written, kinds, sum(failure.retryable for failure in failed.values()) + changed)


def _check_same_form(blueprint: Blueprint, out: Path) -> None:
    """Refuse to add to what is absent, damaged, another dataset, or of other columns. Raises DataError."""
    dataset = DatasetFolder(out, "Restore it, or build it from all of its densities without --add.")
    if dataset.facts.id != blueprint.facts.id:
        raise DataError(f"{out} holds {dataset.facts.id}, not {blueprint.facts.id}; give its own folder with --out.")
    if dataset.facts.columns != blueprint.facts.columns or dataset.manifest.get("builder_version") != BUILDER_VERSION:
        raise DataError(
            f"{out} was built in another form or with other columns; build it from all of its densities without --add."
        )
    for name in ("license", "citation", "provenance"):
        if (old := getattr(dataset.facts, name)) != (new := getattr(blueprint.facts, name)):
            raise DataError(f"{out} states the {name} '{old}', the source '{new}'; state the same, or build anew.")
    dataset.verify()


def _old_rows(out: Path) -> Iterator[tuple[str, pa.Table]]:
    """The rows of a dataset folder as single-row tables with their ids, sorted."""

    def of(split: str) -> Iterator[tuple[str, pa.Table]]:
        with pq.ParquetFile(out / f"{split}.parquet") as file:
            for batch in file.iter_batches(_OLD_ROWS_AT_ONCE):
                for number, one in enumerate(batch.column("id").to_pylist()):
                    yield one, pa.Table.from_batches([batch.slice(number, 1)])

    return heapq.merge(*(of(split) for split in SPLITS), key=lambda item: item[0])


def write_failures(path: Path, failed: Mapping[str, Failure]) -> None:
    """Write crystals, the kinds of their failures and the reasons as a CSV table; no file where there are none."""
    if not failed:
        path.unlink(missing_ok=True)
        return
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(["id", "kind", "reason"])
    writer.writerows([sample_id, failure.kind, failure.reason] for sample_id, failure in failed.items())
    write_text(path, table.getvalue())
