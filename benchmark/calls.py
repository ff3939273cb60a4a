"""Calls into a model: what it raises becomes one sentence, what it returns is checked."""

from __future__ import annotations

import errno
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .errors import EcdbenchError, ModelError
from .scoring import usable

_DISK_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG)
# What to say when a predictor asks for a column that it was not given: by step (any for the empty one) and column.
_HINTS = {
    ("predict", "target"): " Targets are handed to fit only; predict sees inputs.",
    ("", "text"): " The column text is there with --text single, key or all.",
    ("", "density"): " The column density is there in datasets with densities, such as ecd-fcc.",
}


def call(name: str, step: str, function: Callable[[], Any]) -> Any:
    """Call a step of the model `name`.

    Raises:
        ModelError: it raised something that is no sentence for the user already.
    """
    try:
        return function()
    except (EcdbenchError, MemoryError):
        raise
    except (Exception, SystemExit) as error:
        if isinstance(error, OSError) and error.errno in _DISK_ERRORS:
            raise  # the disk, not the model
        reason = str(error).rstrip(".")
        hint = next((text for (where, column), text in _HINTS.items() if where in step and f"'{column}'" in reason), "")
        message = f"{name} failed in {step}: {type(error).__name__}: {reason}.{hint} (--debug shows where.)"
        raise ModelError(message) from error


def mapping(name: str, predictor: Any, method: str, *arguments: Any) -> dict[str, Any]:
    """What an optional method of a predictor returns, as a dictionary; empty where it has none."""
    function = getattr(predictor, method, None)
    return call(name, method, lambda: dict(function(*arguments))) if callable(function) else {}


def checked_predictions(name: str, raw: Any, n: int) -> np.ndarray:
    """What a predictor returned as floats, shape (n,). NaN and infinity stay.

    Raises:
        ModelError: another shape, or not numbers.
    """
    try:
        values = np.ma.filled(raw.astype(float), np.nan) if isinstance(raw, np.ma.MaskedArray) else np.asarray(raw)
    except ValueError as error:
        raise ModelError(
            f"{name} returned rows of different lengths; predict must return one number per row."
        ) from error
    if values.dtype.kind not in "fiub":
        raise ModelError(f"{name} returned {values.dtype.name} values; predict must return numbers.")
    if values.shape != (n,):
        remedy = " Use .ravel()." if values.size == n else ""
        raise ModelError(
            f"{name} returned shape {values.shape} for {n} rows; predict must return shape ({n},).{remedy}"
        )
    return values.astype(float)


def by_id(name: str, raw: Any, ids: Sequence[str]) -> dict[str, float | None]:
    """Checked predictions by id; None for one that cannot be scored."""
    values = checked_predictions(name, raw, len(ids))
    kept = np.where(usable(values), values, np.nan).tolist()
    return {m: None if np.isnan(v) else v for m, v in zip(ids, kept, strict=True)}
