"""Predictions against targets, drawn."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from ..benchmark.errors import MissingExtraError
from ..benchmark.storage import write_atomically
from ..submissions.rescore import RescoredRun


def draw_parity(path: Path, runs: Sequence[RescoredRun], names: Sequence[str]) -> None:
    """Parity plots side by side, on one scale, with each model's RMSE and R2.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtraError("A parity plot", "torch") from error

    figure = Figure(figsize=(4.2 * len(runs), 4.4), layout="constrained")
    axes = figure.subplots(1, len(runs), sharex=True, sharey=True, squeeze=False)[0]
    for axis, run, name in zip(axes, runs, names, strict=True):
        scored, scores, unit = run.scored[run.main], run.scores[run.main], run.run.result.unit
        axis.scatter(scored.target, scored.prediction.mean(axis=0), s=14, alpha=0.7)
        ends = [min(scored.target.min(), scored.prediction.min()), max(scored.target.max(), scored.prediction.max())]
        axis.plot(ends, ends, color="gray", linestyle="--", linewidth=1)
        r2 = "undefined" if scores.r2.value is None else f"{scores.r2.value:.2f}"
        axis.set_title(f"{name}\nRMSE {scores.rmse.value:.3g} {unit}, R2 {r2}", fontsize="small")
        axis.set_xlabel(f"{run.run.result.target} ({unit})")
        axis.set_aspect("equal")
    axes[0].set_ylabel("prediction, mean over seeds")
    write_atomically(path, partial(figure.savefig, format="png", dpi=120))
