"""Scores with their intervals, drawn."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from .scoring import Score
from .stability import Repeat
from .storage import write_atomically


def draw_scores(axis: Any, places: Sequence[float], scores: Sequence[Score], label: str | None = None) -> None:
    """Points with bars for their 95 % intervals; a score that is undefined is left out."""
    drawn = [
        (place, score.value, score.low, score.high)
        for place, score in zip(places, scores, strict=True)
        if score.value is not None and score.low is not None and score.high is not None
    ]
    if drawn:
        x, value, low, high = zip(*drawn, strict=True)
        below = [max(v - bound, 0.0) for v, bound in zip(value, low, strict=True)]
        above = [max(bound - v, 0.0) for v, bound in zip(value, high, strict=True)]
        axis.errorbar(x, value, yerr=[below, above], marker="o", capsize=3, label=label)


def draw_repeats(path: Path, repeats: Sequence[Repeat], split: str, title: str) -> None:
    """RMSE of several runs side by side, with what the training mean reaches."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(1.6 + 0.9 * len(repeats), 3.2), layout="constrained")
    axis = figure.subplots()
    scores = [repeat.run.result.scores[split] for repeat in repeats]
    draw_scores(axis, range(len(repeats)), [score.rmse for score in scores])
    first = scores[0]
    if first.rmse.value is not None and first.skill.value is not None and first.skill.value < 1:
        axis.axhline(first.rmse.value / (1 - first.skill.value), color="gray", linestyle="--", label="training mean")
        axis.legend(frameon=False)
    axis.set_xticks(range(len(repeats)), [repeat.label.replace(", ", "\n") for repeat in repeats])
    axis.set_ylabel(f"RMSE ({repeats[0].run.result.unit}), 95 % interval")
    axis.set_title(title, fontsize="medium")
    axis.set_ylim(bottom=0)
    write_atomically(path, partial(figure.savefig, format="png", dpi=120))
