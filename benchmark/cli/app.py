"""The command line. Commands declare their options here and import what they need when they run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from . import options as common
from .options import Channel, DataDir, Device, Json, Quiet, Settings, Split, TaskOption, Text
from .output import run_app

app = typer.Typer(
    name="ecdbench",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="A benchmark for predicting material properties from electron charge densities.",
    epilog="Example: ecdbench evaluate composition-forest --task ecd-fcc/k_vrh",
)
tasks_app = typer.Typer(
    invoke_without_command=True,
    rich_markup_mode=None,
    help="List the tasks; `tasks show ID` tells everything about one.",
)
app.add_typer(tasks_app, name="tasks")


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(version("ecdbench"))
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[bool, typer.Option("--version", callback=_print_version, help="Print the version.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    """Options of every command."""


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


@app.command()
def models(json: Json = False) -> None:
    """List the registered models and their parameters."""
    from .models import list_models

    list_models(json)


@app.command(
    epilog="Examples: ecdbench evaluate my_model.py --task ecd-fcc/k_vrh   |   "
    "ecdbench evaluate pixel-ridge --task sfe --protocol cv --split grouped   |   "
    "ecdbench evaluate predictions.csv --task sfe   |   "
    "ecdbench evaluate in-context --task ecd-fcc/k_vrh --text single --set model=gpt-4o-mini --dry-run"
)
def evaluate(
    model: Annotated[
        str,
        typer.Argument(help="Registered name, file.py[:Class], package.module:Class, or a predictions file."),
    ],
    task: TaskOption,
    protocol: Annotated[str, typer.Option(help="fixed (the split) or cv (10 folds, holdout untouched).")] = "fixed",
    split: Split = None,
    seeds: Annotated[int, typer.Option(min=1, help="How many seeds.")] = 1,
    text: Text = "none",
    channel: Channel = None,
    settings: Settings = None,
    device: Device = "cpu",
    out: Annotated[Path, typer.Option(help="Run folders are made inside.")] = Path("runs"),
    data_dir: DataDir = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Only the first so many rows of each split; not ranked then.")
    ] = None,
    probes: Annotated[
        bool, typer.Option("--probes", help="Also score inputs exchanged or taken away: what does the model use?")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="For a service: print what would be sent and its cost; send nothing.")
    ] = False,
    max_cost: common.MaxCost = None,
    max_requests: common.MaxRequests = None,
    concurrency: common.Concurrency = 8,
    timeout: common.Timeout = 120.0,
    prices: common.Prices = None,
    batch: Annotated[bool, typer.Option("--batch", help="For a service: use its batch interface.")] = False,
    fresh: Annotated[bool, typer.Option("--fresh", help="Run again what is finished already.")] = False,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Fit a model, predict, score with intervals, and write a run folder.

    A language model behind a service: --set model=NAME --set base_url=http://... and its key in OPENAI_API_KEY. Each
    answer is kept when it comes and never paid twice, not with --fresh either. docs/language-models.md has everything.

    An interrupted run goes on where it stopped: give the same command again. Exits with 3 where the run is complete
    but some predictions failed, or were not asked for.
    """
    from .evaluate import dry_run_command, evaluate_command

    service = common.service_of(max_cost, max_requests, concurrency, timeout, prices, batch)
    options: dict[str, Any] = {"protocol": protocol, "split": split, "seeds": seeds, "text": text, "channel": channel}
    options |= {"data_dir": data_dir, "limit": limit, "service": service, "probes": probes}
    if dry_run:
        dry_run_command(model, task, settings or [], options, json)
        return
    options |= {"device": device, "out": out, "fresh": fresh}
    evaluate_command(model, task, settings or [], options, json, quiet)


@app.command(
    epilog="Examples: ecdbench tune frozen --task sfe --trials 30   |   "
    "ecdbench tune my_model.py --task ecd-fcc/k_vrh --search trees=50:500:50"
)
def tune(
    model: Annotated[str, typer.Argument(help="As for evaluate.")],
    task: TaskOption,
    trials: Annotated[int, typer.Option(min=1, help="Finished trials in all; an existing study goes on.")] = 30,
    search: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=LOW:HIGH[:log|:STEP]",
            help="A parameter to search, repeatable; by default what the model offers (batch size, learning rate).",
        ),
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, help="How many seeds a trial has.")] = 1,
    split: Split = None,
    text: Text = "none",
    channel: Channel = None,
    settings: Settings = None,
    device: Device = "cpu",
    out: Annotated[Path, typer.Option(help="Studies are kept inside.")] = Path("tuning"),
    data_dir: DataDir = None,
    max_cost: common.MaxCost = None,
    max_requests: common.MaxRequests = None,
    concurrency: common.Concurrency = 8,
    timeout: common.Timeout = 120.0,
    prices: common.Prices = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Search hyper-parameters by cross-validation over train and validation; the holdout is not touched.

    The study is on disk: an interrupted search goes on where it stopped. Leaves best.json, trials.csv and plots.
    """
    from .tune import tune_command

    options: dict[str, Any] = {
        "seeds": seeds,
        "split": split,
        "text": text,
        "channel": channel,
        "device": device,
        "out": out,
    }
    service = common.service_of(max_cost, max_requests, concurrency, timeout, prices)
    options |= {"data_dir": data_dir, "service": service}
    tune_command(model, task, trials, search or [], settings or [], options, json, quiet)


@app.command(
    epilog="Examples: ecdbench stability finetuned --task sfe --seeds 9   |   "
    "ecdbench stability finetuned --task sfe --vary finetuning_rate=1e-3,3e-4,1e-4,3e-5"
)
def stability(
    model: Annotated[str, typer.Argument(help="As for evaluate.")],
    task: TaskOption,
    vary: Annotated[
        str | None, typer.Option(metavar="NAME=VALUE,...", help="A parameter and its values; without it, seeds.")
    ] = None,
    seeds: Annotated[int | None, typer.Option(min=1, help="Seeds per value: 1, or 9 where only seeds vary.")] = None,
    protocol: Annotated[str, typer.Option(help="fixed (the split) or cv (10 folds, holdout untouched).")] = "fixed",
    split: Split = None,
    text: Text = "none",
    channel: Channel = None,
    settings: Settings = None,
    device: Device = "cpu",
    out: Annotated[Path, typer.Option(help="Run folders are made inside.")] = Path("stability"),
    data_dir: DataDir = None,
    max_cost: common.MaxCost = None,
    max_requests: common.MaxRequests = None,
    concurrency: common.Concurrency = 8,
    timeout: common.Timeout = 120.0,
    prices: common.Prices = None,
    json: Json = False,
) -> None:
    """Train again and again with another seed or another value of one parameter: mean, spread, interval.

    As Tables 9 and 10 of arXiv 2401.09301 do for the learning rate and for repeated training.
    """
    from .tune import stability_command

    count = seeds or (9 if vary is None else 1)
    options: dict[str, Any] = {"seeds": count, "protocol": protocol, "split": split, "text": text, "channel": channel}
    service = common.service_of(max_cost, max_requests, concurrency, timeout, prices)
    options |= {"device": device, "out": out, "data_dir": data_dir, "service": service}
    stability_command(model, task, vary, settings or [], options, json)


@app.command(epilog="Example: ecdbench check my_model.py")
def check(
    model: Annotated[str, typer.Argument(help="As for evaluate.")],
    task: TaskOption = "ecd-fcc/k_vrh",
    text: Text = "none",
    channel: Channel = None,
    settings: Settings = None,
    device: Device = "cpu",
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Check on a few rows that a model behaves as a predictor."""
    from .evaluate import check_command

    check_command(model, task, settings or [], {"text": text, "channel": channel, "data_dir": data_dir}, device, json)


@app.command(epilog="Example: ecdbench show runs/sfe/pixel-ridge-cv-official-1a2b3c4d")
def show(run: Path, data_dir: DataDir = None, json: Json = False) -> None:
    """Show a run: scores of every split, largest errors, time, provenance."""
    from .runs import show_command

    show_command(run, data_dir, json)


@app.command(
    epilog="Examples: ecdbench compare runs/sfe/pixel-ridge-... runs/sfe/composition-forest-...   |   "
    "ecdbench compare runs/ecd-fcc--k_vrh/in-context-... runs/ecd-fcc--k_vrh/*"
)
def compare(
    first: Path,
    others: Annotated[list[Path], typer.Argument(help="One run, or several, each compared with the first.")],
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Compare a run with others on the same samples: paired bootstrap of the difference."""
    from .runs import compare_command, compare_with_each

    rest = [other for other in others if other.resolve() != first.resolve()] or others
    if len(rest) == 1:
        compare_command(first, rest[0], data_dir, json)
    else:
        compare_with_each(first, rest, data_dir, json)


@app.command(epilog="Example: ecdbench leaderboard --task sfe --format markdown > sfe.md")
def leaderboard(
    runs: Annotated[list[Path] | None, typer.Argument(help="Folders with runs; `runs` by default.")] = None,
    task: Annotated[str | None, typer.Option("--task", "-t", help="One task, or all of a dataset.")] = None,
    format: Annotated[str, typer.Option("--format", "-f", help="terminal, markdown, csv or json.")] = "terminal",
    data_dir: DataDir = None,
) -> None:
    """Rank runs. Every number is recomputed from predictions."""
    from .runs import leaderboard_command

    leaderboard_command(runs or [Path("runs")], task, format, data_dir)


@app.command(epilog="Example: ecdbench fetch sfe")
def fetch(
    dataset: Annotated[str, typer.Argument(help="Dataset to download: sfe.")],
    data_dir: DataDir = None,
    quiet: Quiet = False,
) -> None:
    """Download a dataset that is not packaged; each file is checked, an interrupt loses at most one."""
    from .data import fetch_command

    fetch_command(dataset, data_dir, quiet)


@app.command(
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


@app.command(
    epilog="Examples: ecdbench publish ecd-fcc --repo my-org/ecd-fcc --private   |   "
    "ecdbench publish built/my-densities --repo my-org/my-densities --dry-run"
)
def publish(
    dataset: Annotated[str, typer.Argument(help="A dataset by name, or the folder of a built one.")],
    repo: Annotated[str, typer.Option(metavar="ORG/NAME", help="The dataset repository on the Hugging Face Hub.")],
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

    Prints the commit to pin. Unchanged content makes no new commit; a push that was interrupted is completed by the
    same command. The token is the Hub's own: HF_TOKEN, or `hf auth login`.
    """
    from .publish import publish_command

    publish_command(dataset, repo, data_dir, private, dry_run, i_have_permission)


def main() -> None:
    """Entry point of the `ecdbench` command."""
    run_app(app)
