"""The scores of a model's stages as files: a table and a picture."""

from __future__ import annotations

import importlib.util
from functools import partial
from pathlib import Path

from .drawing import draw_scores
from .results import Result
from .storage import write_atomically, write_json


def write_stages(folder: Path, result: Result) -> None:
    """Write `stages.json`, scores by stage and split, and, where matplotlib is installed, `stages.png`.

    Nothing is written for a model that has no stages.
    """
    if not result.stages:
        return
    table = {
        stage: {split: scores.model_dump() for split, scores in by_split.items()}
        for stage, by_split in result.stages.items()
    }
    write_json(folder / "stages.json", table)
    if result.usage is None and importlib.util.find_spec("matplotlib") is not None:  # ways of reading are no sequence
        _draw(result, folder / "stages.png")


def _draw(result: Result, path: Path) -> None:
    """RMSE with its interval, stage by stage, a line per split."""
    from matplotlib.figure import Figure

    stages = list(result.stages)
    figure = Figure(figsize=(1.6 + 1.3 * len(stages), 3.2), layout="constrained")
    axis = figure.subplots()
    splits = list(result.scores)
    for place, split in enumerate(splits):
        shift = 0.12 * (place - (len(splits) - 1) / 2)
        scores = [result.stages[stage][split].rmse for stage in stages]
        draw_scores(axis, [place_of + shift for place_of in range(len(stages))], scores, split)
    axis.set_xticks(range(len(stages)), [stage.replace(" ", "\n", 1) for stage in stages])
    axis.set_ylabel(f"RMSE ({result.unit}), 95 % interval")
    axis.set_title(f"{result.model.name} on {result.task}")
    axis.set_ylim(bottom=0)
    if len(splits) > 1:
        axis.legend(frameon=False)
    write_atomically(path, partial(figure.savefig, format="png", dpi=120))
