"""What a section says beyond its ranks: error against rows learnt from, and error on each cluster that is held out."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from ..benchmark.plots import figure_of_folds, figure_of_sizes
from ..benchmark.samples import split_name
from ..benchmark.scoring import Score
from ..benchmark.statistics import by_folds
from ..submissions.rescoring import LeaderboardEntry

if TYPE_CHECKING:
    from .board import Section

_MOST_DRAWN = 8  # models in one figure, the best ones
_NAMED = 3  # folds that a sentence names


@dataclass(frozen=True)
class LearningCurve:
    """The main metric of a model by the number of rows it learnt from, the fewest first."""

    name: str
    scores: Mapping[int, Score]

    def rows_for(self, value: float, direction: str) -> float | None:
        """About how many rows it takes to reach a value, between two sizes on logarithmic axes; the fewest rows where
        they reach it already; None where all rows do not.

        Args:
            value: of the main metric.
            direction: whether `lower` or `higher` is better.
        """
        points = [(rows, score.value) for rows, score in self.scores.items() if score.value is not None]
        reached = [(v <= value if direction == "lower" else v >= value) for _, v in points]
        if not points or not any(reached):
            return None
        if reached[0]:
            return float(points[0][0])
        for (rows, before), (more, after) in pairwise(points):
            if (after <= value) if direction == "lower" else (after >= value):
                share = _share(before, after, value)
                return math.exp(math.log(rows) + share * (math.log(more) - math.log(rows)))
        return None


def learning_curves(section: Section) -> list[LearningCurve]:
    """The curves of the ranked rows, best first; none where all fits learn from all rows."""
    reference = section.reference
    rows = {fit.size: len(fit.train) for fit in reference.fits if reference.main in fit.predicted}
    if len(rows) < 2:
        return []
    name = reference.metric.name
    return [
        LearningCurve(
            entry.name,
            {count: entry.scores[split_name(reference.main, size)][name] for size, count in sorted(rows.items())},
        )
        for entry in _ranked(section)
        if all(split_name(reference.main, size) in entry.scores for size in rows)
    ]


def scores_by_fold(section: Section, entry: LeaderboardEntry) -> dict[str, float]:
    """The main metric of a row on each fold with a name; none where folds have none."""
    reference = section.reference
    labels = [fit.label for fit in sorted(reference.fits, key=lambda fit: fit.fold) if fit.label]
    if not labels:
        return {}
    values = by_folds(entry.sample, reference.metric, reference.folds)
    return dict(zip(labels, values.tolist(), strict=True))


def sentences(section: Section) -> Iterator[str]:
    """What curves and folds say, in words."""
    metric = section.reference.metric
    curves = learning_curves(section)
    reached: dict[str, list[str]] = {}
    for other in curves[1:]:
        first, most = curves[0], max(other.scores)
        value = other.scores[most].value
        rows = None if value is None else first.rows_for(value, metric.direction)
        if rows is not None:
            fewest = rows <= min(first.scores)
            count = f"no more than {min(first.scores):,}" if fewest else f"about {float(f'{rows:.2g}'):,.0f}"
            needs = f"{first.name} needs {count} rows for what {{}} reached with {most:,}."
            reached.setdefault(needs, []).append(other.name)
    for needs, names in reached.items():
        yield needs.format(", ".join(names))
    for entry in _ranked(section)[:1]:
        sign = 1 if metric.direction == "lower" else -1
        known = {name: value for name, value in scores_by_fold(section, entry).items() if math.isfinite(value)}
        hardest = sorted(known.items(), key=lambda item: -sign * item[1])[:_NAMED]
        if len(known) > 1:
            listed = ", ".join(f"{name} ({value:.3g})" for name, value in hardest)
            yield f"Hardest for {entry.name}, by {metric.label}: {listed}."


def figures(section: Section) -> Iterator[tuple[str, Any]]:
    """A caption and a matplotlib figure for what there is to draw.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    metric, unit = section.reference.metric, section.unit
    if curves := learning_curves(section):
        drawn = {curve.name: curve.scores for curve in curves[:_MOST_DRAWN]}
        yield f"{metric.label} against rows learnt from", figure_of_sizes(drawn, metric, unit)
    by_model = {entry.name: scores_by_fold(section, entry) for entry in _ranked(section)[:_MOST_DRAWN]}
    if any(len(values) > 1 for values in by_model.values()):
        yield f"{metric.label} on each part that was held out", figure_of_folds(by_model, metric, unit)


def _share(before: float, after: float, value: float) -> float:
    """How far between two values a third one lies: on a logarithmic scale where all are positive."""
    if min(before, after, value) > 0:
        before, after, value = (math.log(x) for x in (before, after, value))
    return 1.0 if before == after else (value - before) / (after - before)


def _ranked(section: Section) -> list[LeaderboardEntry]:
    return [entry for entry in section.rows if entry.rank]
