"""Plots of scores and predictions. They need matplotlib, from the extra `plots`."""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from .errors import MissingExtraError
from .metrics import METRICS, Metric, Sample, metrics_for
from .protocols import PROTOCOLS
from .results import Curve, Result
from .samples import split_name
from .scoring import Score, Scores
from .storage import write_atomically

_PARITY_BINS = 10


def has_matplotlib() -> bool:
    """Whether plots can be drawn here; matplotlib is not imported."""
    return importlib.util.find_spec("matplotlib") is not None


def draw_stages(path: Path, result: Result) -> None:
    """The main metric with its interval, stage by stage, a line per split.

    Nothing is drawn for a model without stages, or where matplotlib is not installed.
    """
    if not result.stages or not has_matplotlib():
        return
    figure = _figure(1.6 + 1.3 * len(result.stages))
    axis = figure.subplots()
    stages, splits = list(result.stages), list(result.scores)
    metric = METRICS.get(result.metric)
    for index, split in enumerate(splits):
        shift = 0.12 * (index - (len(splits) - 1) / 2)
        scores = [result.stages[stage][split][metric.name] for stage in stages]
        _draw_scores(axis, [position + shift for position in range(len(stages))], scores, split)
    axis.set_xticks(range(len(stages)), [stage.replace(" ", "\n", 1) for stage in stages])
    axis.set_ylabel(f"{metric.heading(result.unit)}, 95 % interval")
    axis.set_title(f"{result.model.name} on {result.task}")
    _from_zero(axis, metric)
    if len(splits) > 1:
        axis.legend(frameon=False)
    _save(figure, path)


def draw_repeats(path: Path, scores: Mapping[str, Scores], metric: Metric, unit: str, title: str) -> None:
    """One metric of several runs side by side, by their labels; RMSE with that of the training mean.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    figure = _figure(1.6 + 0.9 * len(scores))
    axis = figure.subplots()
    _draw_scores(axis, range(len(scores)), [one[metric.name] for one in scores.values()])
    first = next(iter(scores.values())).metrics
    skill, own = first.get("skill"), first[metric.name]
    if metric.name == "rmse" and skill and skill.value is not None and own.value is not None and skill.value < 1:
        axis.axhline(own.value / (1 - skill.value), color="gray", linestyle="--", label="training mean")
        axis.legend(frameon=False)
    axis.set_xticks(range(len(scores)), [label.replace(", ", "\n") for label in scores])
    axis.set_ylabel(f"{metric.heading(unit)}, 95 % interval")
    axis.set_title(title, fontsize="medium")
    _from_zero(axis, metric)
    _save(figure, path)


def draw_curves(path: Path, result: Result, curves: Sequence[Curve]) -> None:
    """Training and validation error by epoch, stage after stage.

    Nothing is drawn for a model without learning curves, or where matplotlib is not installed.
    """
    if not curves or not has_matplotlib():
        return
    from matplotlib.figure import Figure

    figure = Figure(figsize=(3.2 * len(curves) + 0.8, 3))
    figure.subplots_adjust(left=0.85 / figure.get_figwidth(), right=0.99, bottom=0.17, top=0.9, wspace=0.08)
    axes = figure.subplots(1, len(curves), squeeze=False, sharey=True)[0]
    for axis, curve in zip(axes, curves, strict=True):
        epochs = [epoch + 1 for epoch in curve.epochs]
        for split, errors in (("train", curve.train), ("validation", curve.validation)):
            axis.plot(epochs, [math.nan if error is None else error for error in errors], label=split)
        axis.set(title=curve.stage, xlabel="epoch")
    axes[0].set_ylim(bottom=0)
    axes[0].set_ylabel(METRICS.get("rmse").heading(result.unit) if result.kind == "regression" else "loss")
    axes[0].legend(frameon=False)
    _save(figure, path)


def figure_of_sizes(curves: Mapping[str, Mapping[int, Score]], metric: Metric, unit: str) -> Any:
    """A metric against the number of rows learnt from, by the names of models, with 95 % intervals. An error has a
    logarithmic axis.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    figure = _figure(6.4, 4.2)
    axis = figure.subplots()
    for index, (name, scores) in enumerate(curves.items()):
        shift = 1 + 0.015 * (index - (len(curves) - 1) / 2)  # so that intervals do not hide each other
        _draw_scores(axis, [rows * shift for rows in scores], list(scores.values()), name)
    rows = sorted({count for scores in curves.values() for count in scores})
    axis.set_xscale("log")
    axis.set_xticks(rows, [f"{count:,}" for count in rows])
    axis.minorticks_off()
    if metric.direction == "lower":
        axis.set_yscale("log")
        axis.yaxis.set_major_formatter("{x:.3g}")
        axis.yaxis.set_minor_formatter("{x:.3g}")
    axis.set_xlabel("rows learnt from")
    axis.set_ylabel(f"{metric.heading(unit)}, 95 % interval")
    figure.legend(loc="outside upper center", ncols=3, frameon=False, fontsize="small")
    return figure


def figure_of_folds(values: Mapping[str, Mapping[str, float]], metric: Metric, unit: str) -> Any:
    """A metric on each named fold, a point for each model, the folds that are hardest for the first model on top.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    first = next(iter(values.values()))
    folds = sorted(first, key=lambda name: first[name] if metric.direction == "lower" else -first[name])
    figure = _figure(6.4, 1.6 + 0.17 * len(folds))
    axis = figure.subplots()
    for name, of_model in values.items():
        axis.plot([of_model[fold] for fold in folds], range(len(folds)), "o", markersize=4, alpha=0.8, label=name)
    axis.set_yticks(range(len(folds)), folds, fontsize="small")
    axis.set_ylim(-0.7, len(folds) - 0.3)
    axis.set_xlabel(metric.heading(unit))
    axis.grid(axis="y", alpha=0.3)
    if metric.direction == "lower":
        axis.set_xlim(left=0)
    figure.legend(loc="outside upper center", ncols=3, frameon=False, fontsize="small")
    return figure


def draw_protocol(folder: Path, result: Result) -> None:
    """What a protocol has besides one score: `sizes.png`, error against rows learnt from, and `folds.png`, error on
    each named fold. Nothing is drawn where there is neither, or where matplotlib is not installed."""
    if not has_matplotlib():
        return
    metric, rows = METRICS.get(result.metric), {fit.size: fit.n_train for fit in result.fits}
    if len(rows) > 1:
        main = PROTOCOLS.get(result.protocol).main_split
        found = {rows[size]: result.scores[split_name(main, size)][metric.name] for size in sorted(rows)}
        _save(figure_of_sizes({result.model.name: found}, metric, result.unit), folder / "sizes.png")
    if len(result.folds) > 1:
        values = {name: scores[metric.name].value for name, scores in result.folds.items()}
        known = {name: value for name, value in values.items() if value is not None}
        _save(figure_of_folds({result.model.name: known}, metric, result.unit), folder / "folds.png")


def as_svg(figure: Any) -> bytes:
    """A figure as an SVG file, the same one each time."""
    import io

    from matplotlib import rc_context

    buffer = io.BytesIO()
    with rc_context({"svg.hashsalt": "ecdbench"}):
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    return buffer.getvalue()


def draw_parity(path: Path, samples: Mapping[str, Sample], target: str, unit: str) -> None:
    """Predictions against targets side by side, by the names of models, on one scale. For a binary target: the share of
    positive rows among those with about the same predicted probability.

    Args:
        path: the png file to write.
        samples: predictions of the same rows by model.
        target: name of the target.
        unit: its unit.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    figure = _figure(4.2 * len(samples), 4.4)
    axes = figure.subplots(1, len(samples), sharex=True, sharey=True, squeeze=False)[0]
    for axis, (name, sample) in zip(axes, samples.items(), strict=True):
        prediction = sample.prediction.mean(axis=0)
        if sample.kind == "classification":
            ends = [0.0, 1.0]
            axis.plot(*calibration(sample.target, prediction), marker="o")
            axis.set_xlabel("predicted probability")
        else:
            ends = [min(sample.target.min(), prediction.min()), max(sample.target.max(), prediction.max())]
            axis.scatter(sample.target, prediction, s=14, alpha=0.7)
            axis.set_xlabel(f"{target} ({unit})")
        axis.plot(ends, ends, color="gray", linestyle="--", linewidth=1)
        axis.set_title(f"{name}\n{_caption(sample, unit)}", fontsize="small")
        axis.set_aspect("equal")
    binary = next(iter(samples.values())).kind == "classification"
    axes[0].set_ylabel("share of positive rows" if binary else "prediction, mean over seeds")
    _save(figure, path)


def calibration(target: np.ndarray, probability: np.ndarray) -> tuple[list[float], list[float]]:
    """Mean probability and share of positive rows in bins of a tenth; empty bins are left out.

    Args:
        target: 0 or 1, shape (n,).
        probability: shape (n,).
    """
    bins = np.minimum((probability * _PARITY_BINS).astype(int), _PARITY_BINS - 1)
    members = [bins == index for index in range(_PARITY_BINS)]
    filled = [rows for rows in members if rows.any()]
    return [float(probability[rows].mean()) for rows in filled], [float(target[rows].mean()) for rows in filled]


def _caption(sample: Sample, unit: str) -> str:
    shown = [metric for metric in metrics_for(sample.kind).values() if metric.prominent][:2]
    values = [float(np.mean(metric.values(sample))) for metric in shown]
    return ", ".join(
        f"{metric.label} {'undefined' if np.isnan(value) else f'{value:.3g}'}{f' {unit}' if metric.unit else ''}"
        for metric, value in zip(shown, values, strict=True)
    )


def _draw_scores(axis: Any, positions: Sequence[float], scores: Sequence[Score], label: str | None = None) -> None:
    """Points with bars for their 95 % intervals; a score that is undefined is left out."""
    drawn = [
        (position, score.value, score.low, score.high)
        for position, score in zip(positions, scores, strict=True)
        if score.value is not None and score.low is not None and score.high is not None
    ]
    if drawn:
        x, value, low, high = zip(*drawn, strict=True)
        below = [max(v - bound, 0.0) for v, bound in zip(value, low, strict=True)]
        above = [max(bound - v, 0.0) for v, bound in zip(value, high, strict=True)]
        axis.errorbar(x, value, yerr=[below, above], marker="o", capsize=3, label=label)


def _from_zero(axis: Any, metric: Metric) -> None:
    if metric.direction == "lower":
        axis.set_ylim(bottom=0)


def _figure(width: float, height: float = 3.2) -> Any:
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtraError("Drawing", "plots") from error
    return Figure(figsize=(width, height), layout="constrained")


def _save(figure: Any, path: Path) -> None:
    write_atomically(path, partial(figure.savefig, format="png", dpi=120, bbox_inches="tight"))
