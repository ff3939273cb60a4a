"""The commands that run models."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from . import options as common
from .options import Channel, DataDir, Device, Json, Quiet, Settings, Split, TaskOption, Text

commands = typer.Typer(rich_markup_mode=None)


@commands.command()
def models(json: Json = False) -> None:
    """List the registered models and their parameters."""
    from .models import list_models

    list_models(json)


@commands.command(
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


@commands.command(
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


@commands.command(
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


@commands.command(
    epilog="Examples: ecdbench ablate image-text --task ecd-fcc/k_vrh --text key   |   "
    "ecdbench ablate my_model.py --task ecd-fcc/k_vrh --protocol cv --seeds 3"
)
def ablate(
    model: Annotated[str, typer.Argument(help="As for evaluate.")],
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
    max_cost: common.MaxCost = None,
    max_requests: common.MaxRequests = None,
    concurrency: common.Concurrency = 8,
    timeout: common.Timeout = 120.0,
    prices: common.Prices = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Measure what a model uses: image exchanged, image blank, text exchanged, text withheld.

    The model is fitted as it is and predicts altered inputs; each alteration is a paired difference of RMSE with its
    interval. The run folder is that of `evaluate --probes`, with the altered predictions in probes.parquet.
    """
    from .evaluate import ablate_command

    service = common.service_of(max_cost, max_requests, concurrency, timeout, prices)
    options: dict[str, Any] = {"protocol": protocol, "split": split, "seeds": seeds, "text": text, "channel": channel}
    options |= {"data_dir": data_dir, "service": service, "device": device, "out": out}
    ablate_command(model, task, settings or [], options, json, quiet)


@commands.command(epilog="Example: ecdbench check my_model.py")
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
