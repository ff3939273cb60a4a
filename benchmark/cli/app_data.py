"""The commands that deal with datasets."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .options import DataDir, Json, Quiet

commands = typer.Typer(rich_markup_mode=None)
tasks_app = typer.Typer(
    invoke_without_command=True,
    rich_markup_mode=None,
    help="List the tasks; `tasks show ID` tells everything about one.",
)
commands.add_typer(tasks_app, name="tasks")


@tasks_app.callback()
def tasks(context: typer.Context, data_dir: DataDir = None, json: Json = False) -> None:
    """List the tasks with sizes, units and whether the data are here."""
    if context.invoked_subcommand is None:
        from .tasks import list_tasks

        list_tasks(data_dir, json)


@tasks_app.command("show", epilog="Example: ecdbench tasks show ecd-fcc/k_vrh")
def tasks_show(task: str, data_dir: DataDir = None, json: Json = False) -> None:
    """Everything about a task: splits, target statistics, provenance, license, citation."""
    from .tasks import show_task

    show_task(task, data_dir, json)


@tasks_app.command("rows", epilog="Example: ecdbench tasks rows sfe > rows.csv")
def tasks_rows(task: str, data_dir: DataDir = None) -> None:
    """The rows of a task as csv: id, splits, folds, group, formula and provenance; no targets."""
    from .tasks import print_rows

    print_rows(task, data_dir)


@commands.command(epilog="Examples: ecdbench audit sfe   |   ecdbench audit ecd-fcc/k_vrh --json > audit.json")
def audit(
    task: Annotated[str, typer.Argument(help="As for evaluate.")],
    data_dir: DataDir = None,
    out: Annotated[Path | None, typer.Option(help="Also write the report as json to this file.")] = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Is a task's split fair? Duplicates across splits, shared compositions, targets that say little, simplest models.

    Models are fitted (a minute or so); an interrupted audit goes on where it stopped.
    """
    from .audit import audit_command

    audit_command(task, data_dir, out, json, quiet)


@commands.command(epilog="Example: ecdbench fetch sfe")
def fetch(
    dataset: Annotated[str, typer.Argument(help="Dataset to download: sfe.")],
    data_dir: DataDir = None,
    quiet: Quiet = False,
) -> None:
    """Download a dataset that is not packaged; each file is checked, an interrupt loses at most one."""
    from .data import fetch_command

    fetch_command(dataset, data_dir, quiet)


@commands.command(
    epilog="Examples: ecdbench build mp-fcc --limit 20 --workers 2   |   "
    "ecdbench build mp-fcc --scheduler tcp://node:8786   |   "
    "ecdbench build my-densities --source FOLDER --out built/my-densities"
)
def build(
    dataset: Annotated[str, typer.Argument(help="mp-fcc, ecd-fcc, or any name for your own densities (--source).")],
    out: Annotated[Path | None, typer.Option(help="The dataset folder; DATASET in the data folder by default.")] = None,
    source: Annotated[
        Path | None, typer.Option(help="Folder with properties.csv and densities (CHGCAR, json.gz or npz).")
    ] = None,
    ids: Annotated[Path | None, typer.Option(help="File with the ids to build, one per line.")] = None,
    filters: Annotated[
        list[str] | None,
        typer.Option(
            "--filter",
            metavar="NAME=VALUE",
            help="Which crystals of the Materials Project, repeatable, as in num_elements=2 or band_gap=0.1:3; "
            "stable F-centred cubic ones by default.",
        ),
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first so many, for a trial.")] = None,
    api_key_file: Annotated[
        Path | None, typer.Option(help="File with your Materials Project key. [env: MP_API_KEY]")
    ] = None,
    workers: Annotated[int, typer.Option(min=1, help="Processes of this machine.")] = 1,
    scheduler: Annotated[str | None, typer.Option(help="Address of a Dask scheduler to use instead.")] = None,
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="Try all failed crystals again.")] = False,
    size: Annotated[int, typer.Option(min=8, help="Points per side of the slice.")] = 75,
    window: Annotated[float, typer.Option(min=0.1, help="Side of the slice in lattice parameters.")] = 2**0.5,
    offset: Annotated[float, typer.Option(help="Distance of the plane from its origin, in plane spacings.")] = 0.0,
    rotation: Annotated[float, typer.Option(help="Turn of the window about [111], degrees.")] = 0.0,
    origin: Annotated[str, typer.Option(help="heaviest (an atom of the heaviest element) or cell.")] = "heaviest",
    regrid: Annotated[
        int | None, typer.Option(min=8, help="Go through this many points per cube axis (the paper: 60).")
    ] = None,
    quiet: Quiet = False,
) -> None:
    """Build a dataset folder from densities: slices, pictures, texts, card, manifest.

    What is finished is kept; an interrupted build goes on where it stopped: give the same command again. Exits with 3
    where some crystals failed for now, and may succeed at another try.
    """
    from .build import BuildRequest, build_command

    build_command(
        BuildRequest(
            dataset=dataset,
            out=out,
            source=source,
            ids=ids,
            filters=filters or [],
            limit=limit,
            key_file=api_key_file,
            plane={"size": size, "window": window, "offset": offset, "rotation": rotation, "origin": origin},
            regrid=regrid,
            workers=workers,
            scheduler=scheduler,
            retry_failed=retry_failed,
            quiet=quiet,
        )
    )


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
    from .publish import publish_command, publish_leaderboard_command

    if dataset == "leaderboard":
        publish_leaderboard_command(repo, data_dir, private, dry_run)
        return
    publish_command(dataset, repo, data_dir, private, dry_run, i_have_permission)
