"""`ecdbench tune` and `ecdbench stability`."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import shlex
import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import EcdbenchError
from .evaluate import parse_settings
from .output import print_table, progress_bars, say, shown

if TYPE_CHECKING:
    from ..stability import Repeat

_SHOWN = 5


def tune_command(
    spec: str,
    task: str,
    trials: int,
    search: Sequence[str],
    settings: Sequence[str],
    options: dict[str, Any],
    as_json: bool,
    quiet: bool,
) -> None:
    """Search and print the best."""
    from ...api import setting_of
    from ...tasks.load import load_task
    from ..ranges import search_ranges
    from ..resolve import resolve
    from ..tune import tune

    model = resolve(spec, parse_settings(settings))
    data = load_task(task, **{name: options[name] for name in ("text", "channel", "split", "data_dir")})
    ranges = search_ranges(model, _texts(search))
    with redirect_stdout(sys.stderr), progress_bars(quiet or as_json) as (progress, steps):
        place = {"device": options["device"], "out": options["out"], "service": options["service"]}
        watched = setting_of(options["seeds"], **place, protocol="cv", step_progress=steps)
        found = tune(model, data, ranges, trials, watched, progress)
    best = {**model.parameters, **found.best}
    command = f"ecdbench evaluate {spec} --task {task}" + _flags(options, best)
    if as_json:
        say(json.dumps({"best": best, "cv_rmse": found.rmse, "folder": str(found.folder), "command": command}))
        return
    if not quiet:
        done = sorted((t for t in found.study.trials if t.value is not None), key=lambda t: t.value)
        rows = [[t.number, f"{t.value:.4g}", *(f"{t.params[name]:.4g}" for name in found.best)] for t in done[:_SHOWN]]
        columns = ["trial", f"RMSE ({data.task.target.unit})", *found.best]
        title = f"{model.name} on {task}: best of {len(found.study.trials)} trials, 10-fold over train and validation"
        print_table(columns, rows, title=title)
        say("The best of many trials flatters itself: score it with the command below, on the holdout or other seeds.")
        say(command)
    say(f"Study: {shown(found.folder)}")


def stability_command(
    spec: str, task: str, vary: str | None, settings: Sequence[str], options: dict[str, Any], as_json: bool
) -> None:
    """Evaluate for each value of a parameter, or each seed, and print mean, spread and interval."""
    from ...api import evaluate
    from ..protocol import main_split
    from ..resolve import resolve
    from ..stability import Repeat, summary

    fixed, seeds = parse_settings(settings), options.pop("seeds")
    name, values = _values(vary)
    if name in fixed:
        raise EcdbenchError(f"{name} is both set and varied; leave one out.")
    for value in values:  # what cannot be built is told before anything is trained
        resolve(spec, fixed if name is None else {**fixed, name: value}).create()
    repeats = []
    with redirect_stdout(sys.stderr), progress_bars(as_json) as (_, steps):
        plan = [(seed, value) for value in values for seed in range(seeds)]
        for seed, value in plan:
            parameters = fixed if name is None else {**fixed, name: value}
            run = evaluate(spec, task, parameters=parameters, seeds=[seed], step_progress=steps, **options)
            label = f"seed {seed}" if name is None else f"{name}={value}" + (f", seed {seed}" if seeds > 1 else "")
            repeats.append(Repeat(label, run))
    split = main_split(options["protocol"])
    found = summary(repeats, split)
    picture = _picture(repeats, split, f"{spec} on {task}, {split}", name)
    if as_json:
        say(json.dumps(found, indent=1))
        return
    from ...leaderboard.render import text_of

    unit = repeats[0].run.result.unit
    scores = [(repeat.label, repeat.run.result.scores[split]) for repeat in repeats]
    rows = [[label, *map(text_of, (s.rmse, s.r2, s.mae)), f"{s.coverage:.0%}"] for label, s in scores]
    for row in ("mean", "spread", "low", "high"):
        cells = [found[metric][row] for metric in ("rmse", "r2", "mae")]
        rows.append([_ROWS[row], *("undefined" if cell is None else f"{cell:.3g}" for cell in cells), ""])
    title = f"{spec} on {task}, {split}, {len(repeats)} runs"
    print_table(["", f"RMSE ({unit})", "R2", "MAE", "coverage"], rows, title=title)
    say("[low, high]: 95 % bootstrap over samples. The mean's interval is Student's t over the runs.")
    if picture is not None:
        say(f"Drawn: {shown(picture)}")
    if name is not None and split == "holdout":
        say("These are scores of the holdout: to choose a value, use `ecdbench tune`.")


def _picture(repeats: list[Repeat], split: str, title: str, name: str | None) -> Path | None:
    """Draw the runs beside their folders, where matplotlib is installed."""
    if importlib.util.find_spec("matplotlib") is None:
        return None
    from ..drawing import draw_repeats

    folders = " ".join(repeat.run.folder.name for repeat in repeats)
    digest = hashlib.sha256(folders.encode()).hexdigest()[:8]
    path = repeats[0].run.folder.parent / f"{repeats[0].run.result.model.name}-{name or 'seed'}-{digest}.png"
    draw_repeats(path, repeats, split, title)
    return path


_ROWS = {"mean": "mean", "spread": "standard deviation", "low": "mean, 95 % from", "high": "mean, 95 % to"}


def _texts(search: Sequence[str]) -> dict[str, str]:
    for text in search:
        if "=" not in text:
            raise EcdbenchError(f"'{text}' is no range; write --search NAME=LOW:HIGH[:log].")
    return dict(text.split("=", 1) for text in search)


def _values(vary: str | None) -> tuple[str | None, list[Any]]:
    if vary is None:
        return None, [None]
    name, equals, texts = vary.partition("=")
    if not equals or not name or not texts:
        raise EcdbenchError(f"'{vary}' varies nothing; write --vary NAME=VALUE,... as in learning_rate=0.01,0.001.")
    listed = parse_settings([f"{name}=[{texts}]"])[name]  # values may be lists themselves
    values = listed if isinstance(listed, list) else [parse_settings([f"{name}={t}"])[name] for t in texts.split(",")]
    if doubled := [value for value in values if values.count(value) > 1]:
        raise EcdbenchError(f"{name}={doubled[0]} is there twice; leave one out.")
    return name, values


def _flags(options: dict[str, Any], parameters: dict[str, Any]) -> str:
    flags = "" if options["text"] == "none" else f" --text {options['text']}"
    for name in ("channel", "split"):
        flags += f" --{name} {options[name]}" if options[name] else ""
    values = {name: value if isinstance(value, str) else json.dumps(value) for name, value in parameters.items()}
    return flags + "".join(f" --set {shlex.quote(f'{name}={value}')}" for name, value in values.items())
