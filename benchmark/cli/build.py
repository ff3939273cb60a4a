"""`ecdbench build`."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...api import default_cache
from ...tasks.build.build import Plan, Report, Workforce, build_dataset, check_target
from ...tasks.build.plane import PlaneSettings
from ...tasks.catalogue import dataset_names
from ...tasks.load import default_data_dir
from ..errors import EcdbenchError
from .output import print_table, progress_bars, say, shown, warn

# Where standard error is no terminal, a line this often, in seconds, so that a job's log shows that it lives.
_LOG_EVERY = 60.0
_UNFINISHED = 3
_FLAGS = {"ids": "--ids", "filters": "--filter", "key_file": "--api-key-file", "limit": "--limit"}


@dataclass(frozen=True)
class BuildRequest:
    """What was asked for on the command line."""

    dataset: str
    out: Path | None
    source: Path | None
    ids: Path | None
    filters: Sequence[str]
    limit: int | None
    key_file: Path | None
    plane: dict[str, Any]
    regrid: int | None
    workers: int
    scheduler: str | None
    retry_failed: bool
    quiet: bool


def build_command(request: BuildRequest) -> None:
    """Build a dataset, say how it went, and end with 3 where some crystals may be tried again."""
    out = (request.out or default_data_dir() / request.dataset).absolute()
    check_target(out)  # before anything is asked for, or written there
    plan = _plan(request, out)
    with _progress(request.quiet) as progress:
        force = Workforce(request.workers, request.scheduler)
        report = build_dataset(plan, out, default_cache().absolute(), force, progress, request.retry_failed)
    if request.dataset == "ecd-fcc":
        from ...tasks.build.ecd_fcc import store_texts

        store_texts(_source(request), out)
    _say_report(report, request.quiet)


def _plan(request: BuildRequest, out: Path) -> Plan:
    plane = PlaneSettings(**request.plane)
    if request.dataset == "ecd-fcc":
        from ...tasks.build import ecd_fcc

        _refuse_options(request, "ids", "filters", "key_file", "limit")
        return ecd_fcc.plan(_source(request), out, plane, request.regrid)
    if request.source is not None:
        from ...tasks.build import own

        if request.dataset in dataset_names():
            raise EcdbenchError(
                f"{request.dataset} is not built from a folder; give your own dataset another name, as in "
                "`ecdbench build my-densities --source FOLDER`."
            )
        _refuse_options(request, "ids", "filters", "key_file")
        return own.plan(request.dataset, request.source, plane, request.regrid, request.limit)
    if request.dataset != "mp-fcc":
        raise EcdbenchError(
            f"There is no dataset '{request.dataset}' to build; there are ecd-fcc and mp-fcc, and any other name for "
            "densities of your own, with --source FOLDER."
        )
    return _plan_mp(request, out, plane)


def _plan_mp(request: BuildRequest, out: Path, plane: PlaneSettings) -> Plan:
    from ...tasks.build import mp_fcc
    from ...tasks.build.mp_client import MaterialsProject, read_key
    from ...tasks.build.mp_query import read_filter, read_ids

    if request.ids and request.filters:
        raise EcdbenchError("Give --ids or --filter, not both.")
    project = MaterialsProject(read_key(request.key_file))
    ids = read_ids(request.ids) if request.ids else None
    filters = read_filter(request.filters)
    with progress_bars(request.quiet) as (bar, _):
        plan, selection = mp_fcc.plan(project, out, plane, request.regrid, filters, ids, request.limit, bar)
    if not request.quiet:
        say(
            f"Materials Project {selection.database}: {selection.found} crystals found, {selection.complete} with a "
            f"value in every column; {plan.total} to build."
        )
        if rows := [[name, n["missing"], n["only"]] for name, n in selection.missing.items() if n["missing"]]:
            print_table(["column", "crystals without a value", "without this one only"], rows)
    if selection.absent:
        warn(f"{len(selection.absent)} of the ids are not there, the first is {selection.absent[0]}.")
    return plan


def _source(request: BuildRequest) -> Path:
    if request.source is None:
        raise EcdbenchError(f"{request.dataset} is built from its raw folder; give it with --source.")
    return request.source


def _refuse_options(request: BuildRequest, *names: str) -> None:
    for name in names:
        if getattr(request, name):
            raise EcdbenchError(f"{_FLAGS[name]} is for mp-fcc; {request.dataset} is built from a folder.")


@contextmanager
def _progress(quiet: bool) -> Iterator[Callable[[int, int, int], None]]:
    """Rate, time left and failures: on a bar in a terminal, else as a line now and then."""
    started = logged = time.monotonic()
    first: int | None = None
    with progress_bars(quiet) as (bar, _):

        def update(done: int, total: int, failed: int) -> None:
            nonlocal first, logged
            now = time.monotonic()
            first = done if first is None else first  # what an earlier build finished says nothing about the rate
            rate = (done - first + 1) / max(now - started, 1e-3)
            words = f"crystals, {rate:.2g}/s, {(total - done) / rate / 60:.0f} min left, {failed} failed"
            bar(done, total, words)
            if not quiet and not sys.stderr.isatty() and now - logged > _LOG_EVERY:
                logged = now
                warn(f"{done} of {total} {words}")

        yield update


def _say_report(report: Report, quiet: bool) -> None:
    if report.failures and not quiet:
        print_table(["crystals without a row", ""], [[kind, count] for kind, count in report.failures.items()])
        say(f"Each with its reason: {shown(report.folder / 'failures.csv')}")
    say(shown(report.folder) if quiet else f"{report.rows} rows. Dataset folder: {shown(report.folder)}")
    if report.later:
        warn(f"{report.later} crystals may succeed at another try: give the same command again.")
        raise SystemExit(_UNFINISHED)
