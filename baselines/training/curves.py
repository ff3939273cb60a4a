"""Learning curves as a picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from ...benchmark.storage import write_atomically


def draw_curves(stages: Mapping[str, Mapping[str, Sequence[float]]], unit: str, path: Path) -> None:
    """Draw RMSE by epoch, training and validation, stage after stage.

    Args:
        stages: by stage, `train` and `validation`: RMSE by epoch.
        unit: of the RMSE.
        path: of the png file.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(3.2 * len(stages) + 0.8, 3))
    figure.subplots_adjust(left=0.85 / figure.get_figwidth(), right=0.99, bottom=0.17, top=0.9, wspace=0.08)
    axes = figure.subplots(1, len(stages), squeeze=False, sharey=True)[0]
    for axis, (name, curves) in zip(axes, stages.items(), strict=True):
        epochs = range(1, len(curves["train"]) + 1)
        axis.plot(epochs, curves["train"], label="train")
        axis.plot(epochs, curves["validation"], label="validation")
        axis.set(title=name, xlabel="epoch")
    axes[0].set_ylim(bottom=0)
    axes[0].set_ylabel(f"RMSE ({unit})")
    axes[0].legend(frameon=False)
    write_atomically(path, partial(figure.savefig, format="png", dpi=100))
