"""Errors on their way from a process to the one that evaluates."""

from __future__ import annotations

import traceback
from typing import Any

from ..errors import DataError, EcdbenchError, ModelError, ServiceError

_SENTENCES = {kind.__name__: kind for kind in (ModelError, ServiceError, DataError, EcdbenchError)}


class ChildTraceback(Exception):
    """Where an error arose, in the words of the process in which it did."""


def describe_error(error: BaseException) -> dict[str, Any]:
    """An error as a message."""
    kind = next((name for name, known in _SENTENCES.items() if isinstance(error, known)), "")
    if not kind:
        kind = next(
            (known.__name__ for known in (MemoryError, KeyboardInterrupt, OSError) if isinstance(error, known)), ""
        )
    return {
        "error": kind or type(error).__name__,
        "text": (error.strerror if isinstance(error, OSError) else None) or str(error),
        "errno": getattr(error, "errno", None),
        "filename": str(getattr(error, "filename", None) or ""),
        "trace": "".join(traceback.format_exception(error)),
    }


def raise_error(message: dict[str, Any]) -> None:
    """Raise the error that a message describes; its traceback is the cause."""
    kind, text = str(message.get("error")), str(message.get("text"))
    error: BaseException
    if kind in _SENTENCES:
        error = _SENTENCES[kind](text)
    elif kind == "OSError" and isinstance(message.get("errno"), int):
        error = OSError(message["errno"], text, str(message.get("filename")) or None)
    elif kind in ("MemoryError", "KeyboardInterrupt"):
        error = MemoryError(text) if kind == "MemoryError" else KeyboardInterrupt()
    else:
        error = RuntimeError(f"{kind}: {text}")
    raise error from ChildTraceback("\n" + str(message.get("trace")))
