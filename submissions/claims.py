"""Claimed scores: rounded when they are submitted, so that a changed digit shows in spite of rounding errors."""

from __future__ import annotations

import math

from ..benchmark.scoring import SCORE_NAMES, Score, Scores

_DIGITS = 6
_ZERO = 1e-9  # scores this small are rounding errors


def rounded(scores: Scores) -> Scores:
    """Scores to six significant digits."""
    return scores.model_copy(
        update={name: Score(**{field: _round(value) for field, value in getattr(scores, name)}) for name in SCORE_NAMES}
        | {"coverage": _round(scores.coverage)}
    )


def first_difference(claimed: Scores, found: Scores) -> str | None:
    """The first number of a claim that is not what was found, in words; None where all agree."""
    for name in ("n", "clusters", "coverage"):
        if not _agree(getattr(claimed, name), getattr(found, name)):
            return f"{name} is {getattr(found, name):.6g}, not {getattr(claimed, name):.6g}"
    for name in SCORE_NAMES:
        for field, value in getattr(claimed, name):
            actual = getattr(getattr(found, name), field)
            if not _agree(value, actual):
                where = name if field == "value" else f"{name}.{field}"
                return f"{where} is {_shown(actual)}, not {_shown(value)}"
    return None


def agree(claimed: float, found: float) -> bool:
    """Whether a number that was rounded when it was claimed is the one that was found."""
    return _agree(_round(claimed), found)


def _agree(claimed: float | None, found: float | None) -> bool:
    if claimed is None or found is None:
        return claimed is found
    if not math.isfinite(claimed) or abs(found) < _ZERO:
        return claimed == 0
    # A unit of the last digit; a little more than half of it is rounding.
    unit = 10.0 ** (math.floor(math.log10(abs(found))) - _DIGITS + 1)
    return abs(claimed - found) <= 0.51 * unit


def _round(value: float | None) -> float | None:
    if value is None:
        return None
    return 0.0 if abs(value) < _ZERO else float(f"{value:.{_DIGITS}g}")


def _shown(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.6g}"
