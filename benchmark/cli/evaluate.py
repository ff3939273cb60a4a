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
from ..results import Result
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
    if options["probes"] and not run.result.probes:
        warn(f"{run.result.model.name} looks at nothing that could be exchanged, so there is nothing to probe.")
    scores = run.result.scores[main_split(run.result.protocol)]
    if scores.coverage < 1:
        warn(_missing(run.result, round((1 - scores.coverage) * scores.n * len(run.result.seeds)), scores.n))
        raise SystemExit(INCOMPLETE)


def ablate_command(
    model: str, task: str, settings: Sequence[str], options: dict[str, Any], as_json: bool, quiet: bool
) -> None:
    """Evaluate with probes, and print those."""
    from ...api import evaluate
    from .scores import print_probes

    with redirect_stdout(sys.stderr), progress_bars(quiet or as_json) as (progress, steps):
        options |= {"probes": True, "progress": progress, "step_progress": steps}
        run = evaluate(model, task, parameters=parse_settings(settings), **options)
    result = run.result
    if not result.probes:
        raise EcdbenchError(
            f"{result.model.name} looks at nothing that could be altered, so there is nothing to ablate."
        )
    if as_json:
        records = {name: {**probe.model_dump(), "probe": name} for name, probe in result.probes.items()}
        say(json.dumps({"run": str(run.folder), "task": result.task, "probes": list(records.values())}, indent=1))
    else:
        print_probes(run)


def _missing(result: Result, failed: int, rows: int) -> str:
    """What is missing in a run, why, and what to do."""
    usage, asked = result.usage, rows * len(result.seeds)
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
        remedy = "Mend the model so that it predicts every row."
        return f"{failed} of {asked} predictions are not finite; {counted} {remedy}"
    remedy = (
        "The same command asks again where there was an error."
        if usage.statuses.get("error")
        else "The replies are in the run folder, artifacts/*/replies.jsonl."
    )
    return f"{failed} of {asked} predictions are missing (answers: {ended}); {counted} {remedy}"


def dry_run_command(model: str, task: str, settings: Sequence[str], options: dict[str, Any], as_json: bool) -> None:
    """Print the first request as it would be sent, and what all of them would take; as json, every request."""
    from ...api import preview

    count = kept = tokens = 0
    cost: float | None = 0.0
    for entry in preview(model, task, parameters=parse_settings(settings), **options):
        if as_json:
            say(json.dumps(entry, ensure_ascii=False))
        elif not count:
            say(json.dumps(_without_data(entry["request"]), indent=1, ensure_ascii=False))
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
    open_requests = f"about {tokens:,} tokens sent, " + (
        "of unknown cost (give the price with --prices FILE)"
        if cost is None
        else f"about ${cost:.4f} where every answer is as long as max_tokens allows"
    )
    say(f"{count} requests, the first is above; {kept} are answered already.")
    if count > kept:
        say(f"{count - kept} would go to {endpoint}: {open_requests}.")
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
