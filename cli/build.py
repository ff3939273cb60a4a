"""The commands that make datasets: compute, build."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .options import Quiet, RetryFailed, Scheduler, Workers, with_options

if TYPE_CHECKING:
    from ..tasks.builder.assembly import Plan, Report

commands = typer.Typer(rich_markup_mode=None)
# Where standard error is not a terminal, a line this often, in seconds, so that a job's log shows progress.
_LOG_EVERY = 60.0
_UNFINISHED = 3


@dataclass(frozen=True)
class BuildOptions:
    """What is built from what."""

    dataset: Annotated[str, typer.Argument(help="mp-fcc, ecd-fcc, or any name for your own densities (--source).")]
    source: Annotated[
        list[Path] | None,
        typer.Option(
            help="Folder with properties.csv and densities (CHGCAR, cube, xsf, json or npz; also .gz, .bz2, .xz "
            "and .zst); of ecd-fcc, folders with densities/ID.npz, repeatable."
        ),
    ] = None
    add: Annotated[
        bool, typer.Option("--add", help="Keep the rows that the dataset folder holds, and add those of the source.")
    ] = False
    ids: Annotated[Path | None, typer.Option(help="File with the ids to build, one per line.")] = None
    filters: Annotated[
        list[str] | None,
        typer.Option(
            "--filter",
            metavar="NAME=VALUE",
            help="Which crystals of the Materials Project, repeatable, as in num_elements=2 or band_gap=0.1:3; "
            "stable F-centred cubic ones by default.",
        ),
    ] = None
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first so many, for a trial.")] = None
    api_key_file: Annotated[
        Path | None, typer.Option(help="File with your Materials Project key. [env: MP_API_KEY]")
    ] = None

    def folders(self) -> list[Path]:
        """The folders that the dataset is built from."""
        from ..benchmark.errors import EcdbenchError

        if not self.source:
            raise EcdbenchError(f"{self.dataset} is built from its raw folders; give them with --source.")
        return self.source

    def refuse(self, *names: str) -> None:
        """Refuse options that the build of this dataset does not have."""
        from ..benchmark.errors import EcdbenchError

        flags = {"filters": "--filter", "api_key_file": "--api-key-file"}
        for name in names:
            if getattr(self, name):
                raise EcdbenchError(f"{flags.get(name, f'--{name}')} is not for {self.dataset}; leave it out.")


@commands.command(
    epilog="Examples: ecdbench build mp-fcc --limit 20 --workers 2   |   "
    "ecdbench build mp-fcc --scheduler tcp://node:8786   |   "
    "ecdbench build my-densities --source FOLDER --out built/my-densities"
)
@with_options
def build(
    what: BuildOptions,
    out: Annotated[Path | None, typer.Option(help="The dataset folder; DATASET in the data folder by default.")] = None,
    workers: Workers = 1,
    scheduler: Scheduler = None,
    retry_failed: RetryFailed = False,
    quiet: Quiet = False,
) -> None:
    """Build a dataset folder from densities: structure factors, texts, properties, card, manifest.

    What is finished is kept; an interrupted build continues where it stopped: give the same command again. Exits with
    3 where some crystals failed for now, and may succeed at another try.
    """
    from ..benchmark.user_folders import default_cache, default_data_dir
    from ..tasks.builder.assembly import build_dataset, check_output_folder

    folder = (out or default_data_dir() / what.dataset).absolute()
    check_output_folder(folder)  # before anything is asked for, or written there
    plan = replace(_plan(what, folder, quiet), adds=what.add)
    with _build_progress(quiet) as progress:
        report = build_dataset(
            plan,
            folder,
            default_cache().absolute(),
            workers=workers,
            scheduler=scheduler,
            progress=progress,
            retry_failed=retry_failed,
        )
    _report_build(report, quiet)


@commands.command(
    epilog="Examples: ecdbench compute structures/ --out mine --workers 2   |   "
    "ecdbench compute crystal.cif --out mine   |   ecdbench compute structures.json.gz --out mine --scheduler node:8786"
)
def compute(
    structures: Annotated[
        Path, typer.Argument(help="A structure file (CIF, POSCAR, pymatgen JSON), a folder of them, or a JSON by id.")
    ],
    out: Annotated[Path, typer.Option(help="Folder for densities; `ecdbench build NAME --source` reads it.")],
    workers: Workers = 1,
    scheduler: Scheduler = None,
    retry_failed: RetryFailed = False,
    quiet: Quiet = False,
) -> None:
    """Compute electron densities with GPAW, with the settings of ecd-fcc: PBE, plane waves of 600 eV, one core each.

    A small crystal takes a minute, a magnetic one several. Each density is kept when it is finished; an interrupted
    command continues where it stopped: give it again. Needs the extra `dft`, for which Debian has libxc-dev and
    libopenblas-dev.
    """
    from ..tasks.builder.compute import compute_densities
    from .output import print_table, say, shown

    with _build_progress(quiet) as progress:
        found = compute_densities(
            structures,
            out.absolute(),
            workers=workers,
            scheduler=scheduler,
            progress=progress,
            retry_failed=retry_failed,
        )
    if found.failures and not quiet:
        print_table(["crystals without a density", ""], [[kind, count] for kind, count in found.failures.items()])
        say(f"Each with its reason: {shown(found.folder / 'failures.csv')}")
    say(shown(found.folder) if quiet else f"{found.densities} densities: {shown(found.folder)}")
    if found.densities and not quiet:
        say(f"Make a dataset of them: ecdbench build my-densities --source {shown(found.folder)}")
    _end(found.retryable, found.densities)


def _plan(what: BuildOptions, out: Path, quiet: bool) -> Plan:
    from ..benchmark.errors import EcdbenchError
    from ..tasks.datasets import DATASETS

    if what.dataset == "ecd-fcc":
        from ..tasks.builder.ecd_fcc_source import plan_ecd_fcc

        what.refuse("ids", "filters", "api_key_file", "limit")
        return plan_ecd_fcc(what.folders(), out)
    if what.source:
        from ..tasks.builder.user_folder import plan_user_folder

        if what.dataset in DATASETS:
            raise EcdbenchError(
                f"{what.dataset} is not built from a folder; give your own dataset another name, as in "
                "`ecdbench build my-densities --source FOLDER`."
            )
        what.refuse("ids", "filters", "api_key_file")
        if len(what.source) > 1:
            raise EcdbenchError("One --source at a time for your own densities; add the others with --add.")
        return plan_user_folder(what.dataset, what.source[0], what.limit)
    if what.dataset != "mp-fcc":
        raise EcdbenchError(
            f"There is no dataset '{what.dataset}' to build; there are ecd-fcc and mp-fcc, and any other name for "
            "densities of your own, with --source FOLDER."
        )
    what.refuse("add")
    return _plan_mp(what, out, quiet)


def _plan_mp(what: BuildOptions, out: Path, quiet: bool) -> Plan:
    from ..benchmark.errors import EcdbenchError
    from ..tasks.builder.materials_project import MaterialsProject, read_key
    from ..tasks.builder.mp_selection import plan_mp_fcc, read_filter, read_ids
    from .output import print_table, progress_bars, say, warn

    if what.ids and what.filters:
        raise EcdbenchError("Give --ids or --filter, not both.")
    project = MaterialsProject(read_key(what.api_key_file))
    ids = read_ids(what.ids) if what.ids else None
    filters = read_filter(what.filters or [])
    with progress_bars(quiet) as (bar, _):
        plan, selection = plan_mp_fcc(project, out, filters, ids, what.limit, bar)
    if not quiet:
        say(
            f"Materials Project {selection.database}: {selection.found} crystals found, {selection.complete} with a "
            f"value in every column; {plan.total} to build."
        )
        if rows := [[name, n["missing"], n["only"]] for name, n in selection.missing.items() if n["missing"]]:
            print_table(["column", "crystals without a value", "without this one only"], rows)
    if selection.absent:
        warn(f"{len(selection.absent)} of the ids do not exist, the first is {selection.absent[0]}.")
    return plan


@contextmanager
def _build_progress(quiet: bool) -> Iterator[Callable[[int, int, int], None]]:
    """Rate, time left and failures: on a bar in a terminal, else as a line now and then."""
    from .output import progress_bars, warn

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


def _report_build(report: Report, quiet: bool) -> None:
    from .output import print_table, say, shown

    if report.failures and not quiet:
        print_table(["crystals without a row", ""], [[kind, count] for kind, count in report.failures.items()])
        say(f"Each with its reason: {shown(report.folder / 'failures.csv')}")
    say(shown(report.folder) if quiet else f"{report.rows} rows. Dataset folder: {shown(report.folder)}")
    _end(report.retryable, report.rows)


def _end(retryable: int, made: int) -> None:
    """The exit status: 3 where another try may help, 1 where nothing was made."""
    from .output import warn

    if retryable:
        warn(f"{retryable} crystals may succeed at another try: give the same command again.")
        raise SystemExit(_UNFINISHED)
    if not made:
        raise SystemExit(1)
