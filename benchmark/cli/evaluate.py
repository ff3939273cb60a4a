"""`ecdbench evaluate` and `ecdbench check`."""

from __future__ import annotations

import ast
import json
import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from typing import Any

from ..environment import is_main_process
from ..errors import EcdbenchError
from .output import print_table, progress_bars, say, shown, warn

# The run is complete, but some predictions are missing or not finite.
INCOMPLETE = 3


def parse_settings(settings: Sequence[str]) -> dict[str, Any]:
    """`NAME=VALUE` texts as parameters; values are read as json or Python literals where they are, else as text.

    Raises:
        EcdbenchError: a text has no `=`.
    """
    parameters = {}
    for setting in settings:
        name, equals, value = setting.partition("=")
        if not equals or not name:
            raise EcdbenchError(f"'{setting}' is no setting; write --set NAME=VALUE.")
        parameters[name] = _value(value)
    return parameters


def _value(text: str) -> Any:
    for read in (json.loads, ast.literal_eval):
        try:
            return read(text)
        except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
            continue
    return text


def evaluate_command(
    model: str, task: str, settings: Sequence[str], options: dict[str, Any], as_json: bool, quiet: bool
) -> None:
    """Evaluate and print."""
    from ...api import evaluate
    from ..protocol import main_split
    from .scores import print_result

    # What a model prints goes to standard error, so that ours can be read by machines.
    speaks = is_main_process()
    with redirect_stdout(sys.stderr), progress_bars(quiet or as_json or not speaks) as (progress, steps):
        run = evaluate(
            model,
            task,
            parameters=parse_settings(settings),
            progress=progress,
            step_progress=steps,
            **options,
        )
    if not speaks:
        return
    if as_json:
        say(run.result.model_dump_json(indent=1))
    elif quiet:
        say(shown(run.folder))
    else:
        print_result(run)
    inputs = run.result.model.inputs
    if run.result.text != "none" and inputs is not None and "text" not in inputs:
        warn(f"{run.result.model.name} does not look at text; --text {run.result.text} changes nothing.")
    scores = run.result.scores[main_split(run.result.protocol)]
    if scores.coverage < 1:
        failed = round((1 - scores.coverage) * scores.n * len(run.result.seeds))
        ranked = "" if run.result.rankable else " Too many failed for the run to be ranked."
        warn(
            f"{failed} of {scores.n * len(run.result.seeds)} predictions are not finite; they were scored as the "
            f"training mean and count against coverage.{ranked} Mend the model so that it predicts every row."
        )
        raise SystemExit(INCOMPLETE)


def check_command(
    model: str, task: str, settings: Sequence[str], options: dict[str, Any], device: str, as_json: bool
) -> None:
    """Check and print; exits with 1 where a check failed."""
    from dataclasses import asdict

    from ...tasks.load import load_task
    from ..conformance import check_predictor
    from ..resolve import resolve

    resolved = resolve(model, parse_settings(settings))
    checks = check_predictor(resolved, load_task(task, **options), device)
    if as_json:
        say(json.dumps([asdict(check) for check in checks], indent=1))
    else:
        rows = [[check.outcome, check.name, check.remedy] for check in checks]
        print_table(["", "the model", "remedy"], rows, title=f"{resolved.name} on a few rows of {task}")
    if any(check.outcome == "failed" for check in checks):
        raise SystemExit(1)
