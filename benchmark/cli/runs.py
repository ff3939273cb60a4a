"""`ecdbench show`."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ...submissions.reference import References
from ...submissions.rescore import RescoredRun, rescore
from .output import print_table, say
from .scores import print_result

_WORST = 5


def show_command(folder: Path, data_dir: Path | None, as_json: bool) -> None:
    """Print a run, its scores recomputed."""
    run = rescore(folder, References(data_dir))
    result = run.run.result.model_copy(update={"scores": dict(run.scores)})
    if as_json:
        say(result.model_dump_json(indent=1))
        return
    print_result(type(run.run)(folder, result))
    print_table(
        ["id", f"target ({result.unit})", "prediction", "error"],
        _largest_errors(run),
        title=f"Largest errors on {run.main}",
    )
    fit = sum(part.seconds_fit for part in result.parts)
    environment = result.environment
    say(
        f"{len(result.parts)} fit(s), {fit:.1f} s; ecdbench {environment.ecdbench}, Python {environment.python}, "
        f"{environment.device}, {environment.cpu_count} cores; "
        f"{result.created:%Y-%m-%d %H:%M} UTC; commit {environment.commit or 'none'}."
    )


def _largest_errors(run: RescoredRun) -> list[list[str]]:
    scored, ids = run.scored[run.main], run.ids[run.main]
    prediction = scored.prediction.mean(axis=0)
    error = prediction - scored.target
    worst = np.argsort(-np.abs(error))[:_WORST]
    return [[ids[i], f"{scored.target[i]:.4g}", f"{prediction[i]:.4g}", f"{error[i]:+.3g}"] for i in worst]
