"""The commands that make datasets and publish them: compute, build, publish."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .options import DataDir, Quiet, with_options

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
            help="Folder with properties.csv and densities (CHGCAR, json.gz or npz); of ecd-fcc, folders with "
            "densities/ID.npz, repeatable."
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
        """Refuse options that only a build from the Materials Project has."""
        from ..benchmark.errors import EcdbenchError

        flags = {"filters": "--filter", "api_key_file": "--api-key-file"}
        for name in names:
            if getattr(self, name):
                raise EcdbenchError(
                    f"{flags.get(name, f'--{name}')} is for mp-fcc; {self.dataset} is built from a folder."
                )


@commands.command(
    epilog="Examples: ecdbench build mp-fcc --limit 20 --workers 2   |   "
    "ecdbench build mp-fcc --scheduler tcp://node:8786   |   "
    "ecdbench build my-densities --source FOLDER --out built/my-densities"
)
@with_options
def build(
    what: BuildOptions,
    out: Annotated[Path | None, typer.Option(help="The dataset folder; DATASET in the data folder by default.")] = None,
    workers: Annotated[int, typer.Option(min=1, help="Processes of this machine.")] = 1,
    scheduler: Annotated[str | None, typer.Option(help="Address of a Dask scheduler to use instead.")] = None,
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="Try all failed crystals again.")] = False,
    quiet: Quiet = False,
) -> None:
    """Build a dataset folder from densities: structure factors, texts, properties, card, manifest.

    What is finished is kept; an interrupted build continues where it stopped: give the same command again. Exits with
    3 where some crystals failed for now, and may succeed at another try.
    """
    from ..api import default_cache
    from ..tasks.builder.assembly import build_dataset, check_output_folder
    from ..tasks.catalogue import default_data_dir

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
    workers: Annotated[int, typer.Option(min=1, help="Processes of this machine.")] = 1,
    scheduler: Annotated[str | None, typer.Option(help="Address of a Dask scheduler to use instead.")] = None,
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="Try all failed crystals again.")] = False,
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
    if not found.densities:
        raise SystemExit(1)
    say(shown(found.folder) if quiet else f"{found.densities} densities: {shown(found.folder)}")
    if not quiet:
        say(f"Make a dataset of them: ecdbench build my-densities --source {shown(found.folder)}")


@commands.command(
    epilog="Examples: ecdbench publish ecd-fcc --repo my-org/ecd-fcc --private   |   "
    "ecdbench publish built/my-densities --repo my-org/my-densities --dry-run   |   "
    "ecdbench publish leaderboard --repo my-org/leaderboard"
)
def publish(
    dataset: Annotated[str, typer.Argument(help="A dataset by name, the folder of a built one, or `leaderboard`.")],
    repo: Annotated[str, typer.Option(metavar="ORG/NAME", help="The repository on the Hugging Face Hub.")],
    private: Annotated[bool, typer.Option("--private", help="Make the repository private.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Write the exact folder to published/, push nothing.")] = (
        False
    ),
    i_have_permission: Annotated[
        bool, typer.Option("--i-have-permission", help="You may publish data whose license is not stated, as sfe's.")
    ] = False,
    data_dir: DataDir = None,
) -> None:
    """Check a dataset and push it to the Hugging Face Hub: data, card, manifest, Croissant, leaderboard definition.

    `leaderboard` is the board of the accepted entries, as a static Space with results in the Hub's evaluation format.

    Prints the commit to pin. Unchanged content makes no new commit; a push that was interrupted is completed by the
    same command. The token is the Hub's own: HF_TOKEN, or `hf auth login`.
    """
    import tempfile

    from ..tasks.catalogue import default_data_dir
    from ..tasks.hub.hub_client import check_repository_name
    from ..tasks.hub.push import push_dataset, stage_dataset
    from .output import say, shown

    check_repository_name(repo)
    staged = Path("published") / repo.replace("/", "--")
    if dataset == "leaderboard":
        _publish_board(repo, data_dir, private, staged if dry_run else None)
        return
    data_dir = data_dir or default_data_dir()
    if dry_run:
        stage_dataset(dataset, data_dir, staged, i_have_permission)
        for path in sorted(staged.iterdir()):
            say(f"{path.stat().st_size:>12,}  {path.name}")
        say(f"Nothing was pushed. {shown(staged)} is what {repo} would hold.")
        return
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "staged"
        facts = stage_dataset(dataset, data_dir, folder, i_have_permission)
        published = push_dataset(folder, repo, private)
    outcome = "published" if published.changed else "unchanged, no new commit"
    say(f"{published.url} ({'private' if published.private else 'public'}): {outcome}, tag {published.tag}")
    say(f"Commit: {published.commit}")
    target = "" if len(facts.targets) == 1 else f"/{facts.targets[0].name}"
    say(f"Evaluate on it: ecdbench evaluate MODEL --task {published.repository}@{published.commit}{target}")


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
    from .output import print_table, say, shown, warn

    if report.failures and not quiet:
        print_table(["crystals without a row", ""], [[kind, count] for kind, count in report.failures.items()])
        say(f"Each with its reason: {shown(report.folder / 'failures.csv')}")
    say(shown(report.folder) if quiet else f"{report.rows} rows. Dataset folder: {shown(report.folder)}")
    if report.retryable:
        warn(f"{report.retryable} crystals may succeed at another try: give the same command again.")
        raise SystemExit(_UNFINISHED)


def _publish_board(repository: str, data_dir: Path | None, private: bool, staged: Path | None) -> None:
    """Make the board of the accepted entries, then push it as a Space, or write what would be pushed."""
    from ..benchmark.errors import EcdbenchError
    from ..leaderboard.board import make_board
    from ..leaderboard.space import push_space, stage_space
    from ..submissions.entry import accepted_entries
    from .output import progress_bars, say, shown

    with progress_bars(quiet=False) as (progress, _):
        board = make_board([accepted_entries()], None, data_dir, progress)
    if board.left_out:
        raise EcdbenchError(
            f"{len(board.left_out)} entries cannot be shown, and a board without them is not published; the first: "
            f"{board.left_out[0]}"
        )
    if staged is not None:
        stage_space(board, staged, repository, data_dir)
        say(f"Nothing was pushed. {shown(staged)} is what the Space {repository} would hold.")
        return
    pushed = push_space(board, repository, private, data_dir)
    outcome = "published" if pushed.changed else "unchanged, no new commit"
    say(f"{pushed.url} ({'private' if pushed.private else 'public'}): {outcome}, commit {pushed.commit}")
