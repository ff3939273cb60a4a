"""The commands that run models: models, evaluate, ablate, check."""

from __future__ import annotations

import json as json_format
import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .options import (
    DataDir,
    Json,
    ModelArgument,
    ProtocolOption,
    Quiet,
    RunOptions,
    RunsFolder,
    Seeds,
    TaskOption,
    with_options,
)

if TYPE_CHECKING:
    from ..benchmark.results import Result, Run

commands = typer.Typer(rich_markup_mode=None)
# The run is complete, but some predictions are missing or not finite.
INCOMPLETE = 3


@commands.command()
def models(json: Json = False) -> None:
    """List the registered models and their parameters."""
    from ..benchmark.loading import PREDICTORS
    from .output import print_table, say

    # Their modules are imported, not what they need to run.
    rows = [_describe(name, point) for name, point in PREDICTORS.points.items()]
    if json:
        say(json_format.dumps(rows, indent=1))
        return
    table = [[r["name"], r["looks_at"], r["extra"] or "", r["what"], r["parameters"]] for r in rows]
    caption = "Parameters are set with --set NAME=VALUE. Your own model: ecdbench evaluate my_model.py --task TASK"
    print_table(["model", "looks at", "extra", "what", "parameters"], table, caption=caption)


@commands.command(
    epilog="Examples: ecdbench evaluate my_model.py --task ecd-fcc/k_vrh   |   "
    "ecdbench evaluate pixel-ridge --task sfe --protocol cv --split grouped   |   "
    "ecdbench evaluate composition-forest --task ecd-fcc/k_vrh --protocol leave-cluster-out --by spacegroup   |   "
    "ecdbench evaluate predictions.csv --task sfe   |   "
    "ecdbench evaluate in-context --task ecd-fcc/k_vrh --text single --set model=gpt-4o-mini --dry-run"
)
@with_options
def evaluate(
    model: ModelArgument,
    run: RunOptions,
    protocol: ProtocolOption = "fixed",
    repeats: Annotated[
        int | None, typer.Option(min=1, help="With cv: repetitions with other folds, over which errors are averaged.")
    ] = None,
    by: Annotated[
        str | None,
        typer.Option(help="With leave-cluster-out: element, spacegroup, prototype, chemical_system or target."),
    ] = None,
    seeds: Seeds = 1,
    out: RunsFolder = Path("runs"),
    limit: Annotated[
        int | None, typer.Option(min=1, help="Only the first so many rows of each split; such a run is not ranked.")
    ] = None,
    probes: Annotated[
        bool, typer.Option("--probes", help="Also score inputs exchanged or taken away: what does the model use?")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="For a service: print what would be sent and its cost; send nothing.")
    ] = False,
    batch: Annotated[bool, typer.Option("--batch", help="For a service: use its batch interface.")] = False,
    fresh: Annotated[bool, typer.Option("--fresh", help="Run again what is finished already.")] = False,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Fit a model, predict, score with intervals, and write a run folder.

    A language model behind a service: --set model=NAME --set base_url=http://... and its key in OPENAI_API_KEY. Each
    answer is kept when it arrives and never paid for twice, not with --fresh either; see docs/language-models.md.

    An interrupted run continues where it stopped: give the same command again. Exits with 3 where the run is complete
    but some predictions failed, or were not asked for.
    """
    from .. import api
    from ..benchmark.environment import is_main_process
    from .output import progress_bars, say, shown, warn
    from .scores import print_result

    chosen = {name: value for name, value in (("repeats", repeats), ("by", by)) if value is not None}
    spec = ",".join([protocol, *(f"{name}={value}" for name, value in chosen.items())])
    given: dict[str, Any] = {"parameters": run.parameters, "protocol": spec, "seeds": seeds, "limit": limit}
    given |= {"probes": probes, "service": run.service(batch)}
    if dry_run:
        _print_requests(api.preview(model, run.load(), **given), json)
        return
    # What a model prints goes to standard error, so that our output can be parsed.
    reports = is_main_process()
    with redirect_stdout(sys.stderr), progress_bars(quiet or json or not reports) as (progress, steps):
        made = api.evaluate(
            model,
            run.load(),
            **given,
            device=run.device,
            out=out,
            fresh=fresh,
            isolation=run.isolation,
            progress=progress,
            step_progress=steps,
        )
    if not reports:
        return
    if json:
        say(made.result.model_dump_json(indent=1))
    elif quiet:
        say(shown(made.folder))
    else:
        print_result(made)
    result = made.result
    if result.text != "none" and result.model.inputs is not None and "text" not in result.model.inputs:
        warn(f"{result.model.name} does not look at text; --text {result.text} changes nothing.")
    if probes and not result.probes:
        warn(f"{result.model.name} looks at nothing that could be exchanged, so there is nothing to probe.")
    _exit_incomplete(made)


@commands.command(
    epilog="Examples: ecdbench ablate image-text --task ecd-fcc/k_vrh --text key   |   "
    "ecdbench ablate my_model.py --task ecd-fcc/k_vrh --protocol cv --seeds 3"
)
@with_options
def ablate(
    model: ModelArgument,
    run: RunOptions,
    protocol: ProtocolOption = "fixed",
    seeds: Seeds = 1,
    out: RunsFolder = Path("runs"),
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Measure what a model uses: image exchanged, image blank, text exchanged, text withheld.

    The model is fitted as it is and predicts altered inputs; each alteration is a paired difference of the metric that
    ranks, with its interval. The run folder is that of `evaluate --probes`, with the altered predictions in
    probes.parquet.
    """
    from .. import api
    from ..benchmark.errors import EcdbenchError
    from .output import progress_bars, say
    from .scores import print_probes

    with redirect_stdout(sys.stderr), progress_bars(quiet or json) as (progress, steps):
        made = api.evaluate(
            model,
            run.load(),
            parameters=run.parameters,
            protocol=protocol,
            seeds=seeds,
            device=run.device,
            out=out,
            probes=True,
            service=run.service(),
            isolation=run.isolation,
            progress=progress,
            step_progress=steps,
        )
    result = made.result
    if not result.probes:
        raise EcdbenchError(
            f"{result.model.name} looks at nothing that could be altered, so there is nothing to ablate."
        )
    if json:
        records = [{**probe.model_dump(), "probe": name} for name, probe in result.probes.items()]
        say(json_format.dumps({"run": str(made.folder), "task": result.task, "probes": records}, indent=1))
    else:
        print_probes(made)


@commands.command(epilog="Example: ecdbench check my_model.py")
def check(
    model: ModelArgument,
    task: TaskOption = "ecd-fcc/k_vrh",
    text: Annotated[str, typer.Option(help="Text tier the model sees: none, single, key or all.")] = "none",
    channel: Annotated[str | None, typer.Option(help="Density channel: total, spin or deformation.")] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="A hyper-parameter of the model; repeatable."),
    ] = None,
    device: Annotated[str, typer.Option(help="cpu, or a torch device such as cuda.")] = "cpu",
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Check on a few rows that a model behaves as a predictor. Exits with 1 where a check failed."""
    from dataclasses import asdict

    from ..benchmark.conformance import check_predictor
    from .output import print_table, say

    run = RunOptions(task, None, text, channel, settings, device, data_dir, in_process=True)
    checks = check_predictor(model, run.load(), device, run.parameters)
    if json:
        say(json_format.dumps([asdict(one) for one in checks], indent=1))
    else:
        rows = [[one.outcome, one.name, one.remedy] for one in checks]
        print_table(["", "the model", "remedy"], rows, title=f"{model} on a few rows of {task}")
    if any(one.outcome == "failed" for one in checks):
        raise SystemExit(1)


def _describe(name: str, point: Any) -> dict[str, Any]:
    import inspect

    from ..benchmark.errors import ModelError
    from ..benchmark.inputs import looks_at
    from ..benchmark.loading import load_predictor

    try:
        target = load_predictor(point)
    except ModelError as error:  # another package's model must not hide the rest
        return {"name": name, "looks_at": "", "extra": None, "what": str(error), "parameters": ""}
    parameters = ", ".join(str(p) for p in inspect.signature(target).parameters.values())
    return {
        "name": name,
        "looks_at": looks_at(getattr(target, "inputs", None)),
        "extra": getattr(target, "extra", None),
        "what": " ".join((inspect.getdoc(target) or "").split("\n\n")[0].split()).partition(":")[0],
        "parameters": parameters.replace("'", ""),
    }


def _exit_incomplete(run: Run) -> None:
    """Say what is missing in a run, why, and what to do; nothing where it is complete."""
    from ..benchmark.protocols import PROTOCOLS
    from .output import warn

    result = run.result
    scores = result.scores[PROTOCOLS.get(result.protocol).main_split]
    if scores.coverage < 1:
        failed = round((1 - scores.coverage) * scores.n * len(result.seeds))
        warn(_what_is_missing(result, failed, scores.n * len(result.seeds)))
        raise SystemExit(INCOMPLETE)


def _what_is_missing(result: Result, failed: int, asked: int) -> str:
    from ..baselines.llm.usage import usage_of

    usage = usage_of(result)
    ended = "" if usage is None else ", ".join(f"{count} {status}" for status, count in sorted(usage.statuses.items()))
    if result.limit is not None:
        answers = f" ({ended})" if ended else ""
        return (
            f"{asked - failed} of {asked} predictions are there{answers}; --limit {result.limit} left others out, and "
            "the scores count them as the training mean. Leave out --limit for a run that can be ranked."
        )
    ranked = "" if result.rankable else " Too many failed for the run to be ranked."
    counted = f"they were scored as the training mean and count against coverage.{ranked}"
    if usage is None:
        wrong = "not finite" if result.kind == "regression" else "not probabilities"
        value = "a number" if result.kind == "regression" else "a probability from 0 to 1"
        remedy = f"Predict {value} for every row."
        return f"{failed} of {asked} predictions are {wrong}; {counted} {remedy}"
    remedy = (
        "The same command asks again where there was an error."
        if usage.statuses.get("error")
        else "The replies are in the run folder, artifacts/*/replies.jsonl."
    )
    return f"{failed} of {asked} predictions are missing (answers: {ended}); {counted} {remedy}"


def _print_requests(requests: Any, as_json: bool) -> None:
    """Print the first request as it would be sent, and what all of them would take; as json, every request."""
    from .output import say

    count = kept = tokens = 0
    cost: float | None = 0.0
    endpoint = ""
    for entry in requests:
        if as_json:
            say(json_format.dumps(entry, ensure_ascii=False))
        elif not count:
            say(json_format.dumps(_without_data(entry["request"]), indent=1, ensure_ascii=False))
        count += 1
        if entry["is_kept"]:
            kept += 1
            continue
        tokens += entry["tokens"]
        largest = entry["largest_cost"]
        cost = None if cost is None or largest is None else cost + largest
        endpoint = entry["endpoint"]
    if as_json:
        return
    price = (
        "of unknown cost (give the price with --prices FILE)"
        if cost is None
        else f"about ${cost:.4f} if every answer is as long as max_tokens allows"
    )
    say(f"{count} requests, the first is above; {kept} are answered already.")
    if count > kept:
        say(f"{count - kept} would go to {endpoint}: about {tokens:,} tokens sent, {price}.")
    say(
        "Nothing was sent. Tokens are estimated, four characters each and 255 for an image, which some models count "
        "ten times over; answers that are kept correct the estimate. --max-cost bounds what is spent."
    )


def _without_data(value: Any) -> Any:
    """A request for people to read: image data by their beginning and size."""
    if isinstance(value, dict):
        return {name: _without_data(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_without_data(item) for item in value]
    if isinstance(value, str) and value.startswith("data:"):
        return f"{value[:40]}... ({len(value):,} characters)"
    return value
