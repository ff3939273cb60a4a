"""Calls of a predictor: what it raises becomes one sentence, its warnings are counted, what it returns is checked."""

from __future__ import annotations

import contextlib
import errno
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from .errors import EcdbenchError, ModelError
from .inputs import INPUTS
from .model import Model

_MOST_WARNINGS, _LONGEST_WARNING = 20, 200  # that differ, and characters
_OTHERS = "other warnings"
_DISK_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG)


def call(model: Model, step: str, function: Callable[[], Any]) -> Any:
    """Call a step of a model.

    Raises:
        ModelError: it raised something that is not already a sentence for the user.
    """
    try:
        return function()
    except (EcdbenchError, MemoryError):
        raise
    except (Exception, SystemExit) as error:
        if isinstance(error, OSError) and error.errno in _DISK_ERRORS:
            raise  # the disk, not the model
        reason = str(error).rstrip(".")
        message = f"{model.name} failed in {step}: {type(error).__name__}: {reason}.{_hint(model, step, reason)}"
        raise ModelError(f"{message} (--debug shows where.)") from error


@contextlib.contextmanager
def counted_warnings() -> Iterator[dict[str, int]]:
    """Count the warnings of a block by category and first line; none is printed."""
    found = Counter[str]()

    def count(message: Warning | str, category: type[Warning], *_: Any, **__: Any) -> None:
        first = (str(message).strip().splitlines() or [""])[0]
        text = f"{category.__name__}: {first}"[:_LONGEST_WARNING]
        found[text if text in found or len(found) < _MOST_WARNINGS else _OTHERS] += 1

    with warnings.catch_warnings():
        warnings.showwarning = count
        yield found


def _hint(model: Model, step: str, reason: str) -> str:
    """What to say when a predictor asks for a column that it was not given."""
    if "'target'" in reason and "predict" in step:
        return " Targets are handed to fit only; predict sees inputs."
    missing = next((name for name in INPUTS.names() if f"'{name}'" in reason), None)
    if missing is None:
        return ""
    if model.inputs is not None and missing not in model.inputs:
        return f" The model states inputs = {tuple(model.inputs)!r} and is handed no others; add '{missing}' to it."
    if INPUTS.get(missing).option == "text":
        return f" The column {missing} is there with --text single, key or all."
    return f" The dataset has no input {missing}; `ecdbench tasks show TASK` lists what it has."


def mapping(model: Model, predictor: Any, method: str, *arguments: Any) -> dict[str, Any]:
    """What an optional method of a predictor returns, as a dictionary; empty where it does not have the method."""
    function = getattr(predictor, method, None)
    return call(model, method, lambda: dict(function(*arguments))) if callable(function) else {}


def checked_predictions(name: str, raw: Any, n: int) -> np.ndarray:
    """What a predictor returned as floats, shape (n,). NaN and infinity stay.

    Raises:
        ModelError: another shape, or not numbers.
    """
    try:
        values = _as_array(raw)
    except ValueError as error:
        raise ModelError(
            f"{name} returned rows of different lengths; predict must return one number per row."
        ) from error
    except Exception as error:
        raise ModelError(
            f"{name} returned what is no array ({type(error).__name__}: {error}); predict must return numbers."
        ) from error
    if values.dtype.kind not in "fiub":
        raise ModelError(f"{name} returned {values.dtype.name} values; predict must return numbers.")
    if values.shape != (n,):
        remedy = " Use .ravel()." if values.size == n else ""
        raise ModelError(
            f"{name} returned shape {values.shape} for {n} rows; predict must return shape ({n},).{remedy}"
        )
    return values.astype(float)


def _as_array(raw: Any) -> np.ndarray:
    """An array of what was returned; tensors come from whatever device and precision they have."""
    if callable(getattr(raw, "detach", None)):
        tensor = raw.detach().cpu()
        return (tensor.double() if tensor.is_floating_point() else tensor).numpy()
    return np.ma.filled(raw.astype(float), np.nan) if isinstance(raw, np.ma.MaskedArray) else np.asarray(raw)
