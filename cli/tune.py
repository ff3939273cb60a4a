"""The commands that run a model many times: tune, stability."""

from __future__ import annotations

import hashlib
import json as json_format
import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .options import (
    Json,
    ModelArgument,
    ProtocolOption,
    Quiet,
    RunOptions,
    RunsFolder,
    Seeds,
    parse_settings,
    with_options,
)

if TYPE_CHECKING:
    from ..benchmark.results import Run

commands = typer.Typer(rich_markup_mode=None)
_SHOWN = 5
_SUMMARY_ROWS = {
    "mean": "mean",
    "spread": "standard deviation",
    "low": "mean, 95 % from",
    "high": "mean, 95 % to",
}


@commands.command(
    epilog="Examples: ecdbench tune frozen --task sfe --trials 30   |   "
    "ecdbench tune my_model.py --task ecd-fcc/k_vrh --search trees=50:500:50"
)
@with_options
def tune(
    model: ModelArgument,
    run: RunOptions,
    trials: Annotated[int, typer.Option(min=1, help="Finished trials in all; an existing study continues.")] = 30,
    search: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=LOW:HIGH[:log|:STEP]",
            help="A parameter to search, repeatable; by default what the model offers (batch size, learning rate).",
        ),
    ] = None,
    seeds: Seeds = 1,
    out: Annotated[Path, typer.Option(help="Studies are kept inside.")] = Path("tuning"),
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Search hyper-parameters by cross-validation over train and validation; the holdout is not touched.

    The study is on disk: an interrupted search continues where it stopped. Leaves best.json, trials.csv and plots.
    """
    from ..api import make_setting
    from ..benchmark.metrics import METRICS
    from ..benchmark.ranges import search_ranges
    from ..benchmark.tune import tune as search_parameters
    from .output import print_table, progress_bars, say, shown, warn

    place = run.place(out)
    data = run.load()
    resolved = run.resolve(model, place)
    ranges = search_ranges(resolved, _search_texts(search or []), place)
    with redirect_stdout(sys.stderr), progress_bars(quiet or json) as (progress, steps):
        setting = make_setting(
            seeds, run.device, out, protocol="cv", service=run.service(), place=place, step_progress=steps
        )
        found = search_parameters(resolved, data, ranges, trials, setting, progress)
    if found.mended:
        warn("The last line of the study's log was incomplete and was removed; the trial it belonged to was run again.")
    best = {**resolved.parameters, **found.best}
    command = f"ecdbench evaluate {model} --task {run.task}" + run.flags(best)
    metric = METRICS.get(data.task.main_metric)
    if json:
        record = {"best": best, f"cv_{metric.name}": found.score, "folder": str(found.folder), "command": command}
        say(json_format.dumps(record))
        return
    if not quiet:
        sign = 1 if metric.direction == "lower" else -1
        done = sorted((t for t in found.study.trials if t.value is not None), key=lambda t: sign * t.value)
        rows = [[t.number, f"{t.value:.4g}", *(f"{t.params[name]:.4g}" for name in found.best)] for t in done[:_SHOWN]]
        columns = ["trial", metric.heading(data.task.target.unit), *found.best]
        tried = f"best of {len(found.study.trials)} trials, 10-fold over train and validation"
        title = f"{resolved.name} on {run.task}: {tried}"
        print_table(columns, rows, title=title)
        say("The best of many trials is flattered: score it with the command below, on the holdout or other seeds.")
        say(command)
    say(f"Study: {shown(found.folder)}")


@commands.command(
    epilog="Examples: ecdbench stability finetuned --task sfe --seeds 9   |   "
    "ecdbench stability finetuned --task sfe --vary finetuning_rate=1e-3,3e-4,1e-4,3e-5"
)
@with_options
def stability(
    model: ModelArgument,
    run: RunOptions,
    vary: Annotated[
        str | None, typer.Option(metavar="NAME=VALUE,...", help="A parameter and its values; without it, seeds.")
    ] = None,
    seeds: Annotated[int | None, typer.Option(min=1, help="Seeds per value: 1, or 9 where only seeds vary.")] = None,
    protocol: ProtocolOption = "fixed",
    out: RunsFolder = Path("stability"),
    json: Json = False,
) -> None:
    """Train again and again with another seed or another value of one parameter: mean, spread, interval.

    As Tables 9 and 10 of arXiv 2401.09301 do for the learning rate and for repeated training.
    """
    from .. import api
    from ..benchmark.errors import EcdbenchError
    from ..benchmark.metrics import METRICS, metrics_for
    from ..benchmark.plots import draw_repeats, has_matplotlib
    from ..benchmark.protocols import PROTOCOLS
    from ..benchmark.resolve import resolve
    from ..benchmark.stability import summarize
    from ..leaderboard.formats import score_text
    from .output import print_table, progress_bars, say, shown

    fixed, count = run.parameters, seeds or (9 if vary is None else 1)
    name, values = _varied(vary)
    if name in fixed:
        raise EcdbenchError(f"{name} is both set and varied; leave one out.")
    variants = [fixed if name is None else {**fixed, name: value} for value in values]
    place = run.place(out)
    for parameters in variants:  # what cannot be built is reported before anything is trained
        resolve(model, parameters, place)
    runs: dict[str, Run] = {}
    data = run.load()
    with redirect_stdout(sys.stderr), progress_bars(json) as (_, steps):
        given: dict[str, Any] = {"protocol": protocol, "device": run.device, "out": out, "service": run.service()}
        given["isolation"] = run.isolation
        for value, parameters in zip(values, variants, strict=True):
            for seed in range(count):
                label = f"seed {seed}" if name is None else f"{name}={value}" + (f", seed {seed}" if count > 1 else "")
                runs[label] = api.evaluate(
                    model, data, parameters=parameters, seeds=[seed], step_progress=steps, **given
                )
    split = PROTOCOLS.get(protocol).main_split
    scores = {label: one.result.scores[split] for label, one in runs.items()}
    found, first = summarize(list(scores.values())), next(iter(runs.values()))
    unit, main = first.result.unit, METRICS.get(first.result.metric)
    path = None
    if has_matplotlib():
        digest = hashlib.sha256(" ".join(one.folder.name for one in runs.values()).encode()).hexdigest()[:8]
        path = first.folder.parent / f"{first.result.model.name}-{name or 'seed'}-{digest}.png"
        draw_repeats(path, scores, main, unit, f"{model} on {run.task}, {split}")
    if json:
        say(json_format.dumps(found, indent=1))
        return
    metrics = [main, *(metric for metric in metrics_for(first.result.kind).values() if metric is not main)][:3]
    rows = [
        [label, *(score_text(one[metric.name]) for metric in metrics), f"{one.coverage:.0%}"]
        for label, one in scores.items()
    ]
    for row, words in _SUMMARY_ROWS.items():
        cells = [found[metric.name][row] for metric in metrics]
        rows.append([words, *("undefined" if cell is None else f"{cell:.3g}" for cell in cells), ""])
    title = f"{model} on {run.task}, {split}, {len(runs)} runs"
    print_table(["", main.heading(unit), *(metric.label for metric in metrics[1:]), "coverage"], rows, title=title)
    say("[low, high]: 95 % bootstrap over samples. The mean's interval is Student's t over the runs.")
    if path is not None:
        say(f"Plot: {shown(path)}")
    if name is not None and split == "holdout":
        say("These are scores of the holdout: to choose a value, use `ecdbench tune`.")


def _search_texts(search: list[str]) -> dict[str, str]:
    from ..benchmark.errors import EcdbenchError

    for text in search:
        if "=" not in text:
            raise EcdbenchError(f"invalid range '{text}': expected --search NAME=LOW:HIGH[:log]")
    return dict(text.split("=", 1) for text in search)


def _varied(vary: str | None) -> tuple[str | None, list[Any]]:
    """The parameter that is varied, and its values; one value, None, where only seeds vary."""
    from ..benchmark.errors import EcdbenchError

    if vary is None:
        return None, [None]
    name, equals, texts = vary.partition("=")
    if not equals or not name or not texts:
        raise EcdbenchError(f"invalid --vary '{vary}': expected NAME=VALUE,... as in learning_rate=0.01,0.001")
    listed = parse_settings([f"{name}=[{texts}]"])[name]  # values may be lists themselves
    values = listed if isinstance(listed, list) else [parse_settings([f"{name}={t}"])[name] for t in texts.split(",")]
    if repeated := [value for value in values if values.count(value) > 1]:
        raise EcdbenchError(f"{name}={repeated[0]} is given twice; leave one out.")
    return name, values
