"""What a reply says: a number, read strictly and flexibly, or why there is none."""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from typing import Any

from .completion import Completion
from .numbers import find_number

OK, UNPARSED, REFUSED, FILTERED = "ok", "unparsed", "refused", "filtered"
_THOUGHT = re.compile(r"<think(?:ing)?>.*?(?:</think(?:ing)?>|$)", re.DOTALL)
_END_OF_THOUGHT = re.compile(r".*</think(?:ing)?>", re.DOTALL)  # some chat templates eat the beginning
_OBJECT = re.compile(r"\{[^{}]*\}")
_NAMES = ("value", "answer", "prediction", "predicted_value", "estimate", "result")
_SORRY = re.compile(
    r"I'?m sorry|I apologi[sz]e|I can(?:no|')?t |I can not |I(?:'m| am) (?:un|not )able|"
    r"unable to (?:provide|estimate|assist)",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Reading:
    """A reply, read.

    Attributes:
        status: `ok`, `unparsed`, `refused` or `filtered`.
        strict: the number, where the reply is the JSON object it was asked to be.
        flexible: the number, where there is one to be found.
        cut: whether the reply ended because it reached the bound on its length.
    """

    status: str
    strict: float | None = None
    flexible: float | None = None
    cut: bool = False


def read_reply(completion: Completion, unit: str) -> Reading:
    """Read a reply.

    Args:
        completion: the completion it is in.
        unit: unit of the target.
    """
    if completion.end == "content_filter":
        return Reading(FILTERED)
    if completion.refused:
        return Reading(REFUSED)
    text = _THOUGHT.sub(" ", _END_OF_THOUGHT.sub(" ", completion.text)).strip()
    cut = completion.end == "length"
    strict = _strict(text)
    flexible = strict if strict is not None else _flexible(text, unit, cut)
    if flexible is not None:
        return Reading(OK, strict, flexible, cut)
    return Reading(REFUSED if _SORRY.search(text.replace("\u2019", "'")) else UNPARSED, cut=cut)


def _strict(text: str) -> float | None:
    """The value of an object with that one key."""
    found = _loads(text)
    return _number(found["value"]) if isinstance(found, dict) and set(found) == {"value"} else None


def _flexible(text: str, unit: str, cut: bool) -> float | None:
    """The last object with a value in it, or the last number; of a reply that was cut off, a whole object only."""
    for match in reversed(_OBJECT.findall(text)):
        found = _loads(match)
        name = next((name for name in _NAMES if name in found), None) if isinstance(found, dict) else None
        if name is not None:
            value = found[name]
            if isinstance(value, str) or _number(value) is not None:
                return find_number(f"{value} {found.get('unit', found.get('units', ''))}".strip(), unit)
            return None
    if cut or isinstance(_loads(text), dict):  # an object without an answer has none
        return None
    return find_number(text, unit)


def _loads(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None
