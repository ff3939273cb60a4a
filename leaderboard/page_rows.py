"""One row of the page: its cells, its badges, and what its plots show."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..benchmark.scoring import SCORE_NAMES, Score, Scored
from .board import Row, Section
from .contestants import Contestant
from .render import ranks_text, text_of

_EXPOSURE = {
    "possible": "pretrained on data that may hold these materials",
    "known": "saw rows of this benchmark before",
}
_WORDS = {"cannot be told apart from the first": "tied with the first", "worse than the first": "worse"}
# The parity plot's axis in steps, about a pixel each: it is a figure, and no copy of the data.
STEPS = 250
_FARTHEST = 3 * STEPS  # of a prediction


def row_view(row: Row, identifier: str, widest: float) -> dict[str, Any]:
    """Everything the template shows of a row; `widest` is the end of the RMSE axis."""
    one = row.contestant
    scores = one.run.scores[one.run.main]
    return {
        "id": identifier,
        "row": row,
        "one": one,
        "card": one.card,
        "result": one.result,
        "ranks": ranks_text(row),
        "inputs": "not stated" if one.inputs is None else " + ".join(one.inputs) or "nothing",
        "badges": badges(one),
        "bars": {name: _bar(getattr(scores, name), name, widest) for name in ("rmse", "r2")},
        "scores": {name: getattr(scores, name) for name in SCORE_NAMES},
        "texts": {name: text_of(getattr(scores, name)) for name in SCORE_NAMES},
        "coverage": scores.coverage,
        "word": _WORDS.get(row.standing, row.standing),
        "took": (took := _took(one)),
        "took_texts": {name: "" if value is None else brief(value) for name, value in took.items()},
        "plots": _plots(one),
    }


def brief(value: float) -> str:
    """A measured number to two digits, without an exponent where it needs none."""
    return f"{float(f'{value:.2g}'):,.6g}" if 1e-4 <= abs(value) < 1e6 else f"{value:.2g}"


def badges(one: Contestant) -> list[tuple[str, str, str]]:
    """Kind, word and explanation of what a reader must not overlook."""
    found = []
    coverage = one.run.scores[one.run.main].coverage
    if one.card is None:
        found.append(("own", "own run", "a run of this machine, without a card"))
    if one.random_weights:
        found.append(("random", "random weights", "the network was not pretrained, where it usually is"))
    if coverage < 1:
        found.append(("coverage", f"{coverage:.0%} answered", "failed predictions are scored as the training mean"))
    exposure = one.card.pretraining.exposure if one.card else None
    if exposure in _EXPOSURE:
        found.append(("exposure", f"exposure {exposure}", _EXPOSURE[exposure]))
    if one.twin:
        found.append(("look", f"as {one.twin}", "its predictions are the very same"))
    if one.suspicions:
        found.append(("look", "to be looked at", "; ".join(one.suspicions)))
    return found


def _bar(score: Score, name: str, widest: float) -> dict[str, float] | None:
    """Where an interval lies on the section's axis, in percent of its width."""
    if score.value is None or score.low is None or score.high is None:
        return None
    low, high = (-0.2, 1.0) if name == "r2" else (0.0, widest)
    left, right, middle = (100 * min(max((x - low) / (high - low), 0), 1) for x in (score.low, score.high, score.value))
    if not low <= score.value <= high:
        return None  # off the axis: the numbers say it
    return {"left": round(left, 1), "width": round(max(right - left, 0.5), 1), "value": round(middle, 1)}


def widest_rmse(section: Section) -> float:
    """The end of the RMSE axis: what the worst of the usual rows reaches."""
    ends = []
    for row in section.rows:
        one = row.contestant
        rmse, skill = one.run.scores[one.run.main].rmse, one.run.scores[one.run.main].skill
        if rmse.high is not None and skill.value is not None and skill.value > -0.5:
            ends.append(rmse.high)
    return max(ends, default=1.0) or 1.0


def _took(one: Contestant) -> dict[str, float | None]:
    """Seconds of training, seconds per prediction, dollars per thousand predictions; None where unknown."""
    parts, usage = one.result.parts, one.result.usage
    predictions = sum(scored.prediction.size for scored in one.run.scored.values())
    per_prediction = sum(part.seconds_predict for part in parts) / max(predictions, 1)
    cost = usage.cost if usage else None
    return {
        "training": sum(part.seconds_fit for part in parts),
        "latency": usage.seconds_median if usage else max(per_prediction, 1e-6),
        "dollars": None if cost is None or usage is None else 1000 * cost / max(usage.answers, 1),
    }


def parity_places(scored: Scored, values: np.ndarray) -> list[int]:
    """Where values, shape (n,), lie on the axis of a parity plot, which the targets span: steps from its beginning."""
    low = scored.target.min()
    places = STEPS * (values - low) / (np.ptp(scored.target) or 1.0)
    return places.clip(-_FARTHEST, _FARTHEST).round().astype(int).tolist()


def _plots(one: Contestant) -> dict[str, Any]:
    """What the row's parity plot and learning curves draw."""
    scored = one.run.scored[one.run.main]
    drawn: dict[str, Any] = {"parity": parity_places(scored, scored.prediction.mean(axis=0))}
    if one.curves:
        drawn["curves"] = [curve.model_dump() for curve in one.curves.curves]
    return drawn
