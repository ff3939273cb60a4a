"""What a reply says: a number, read strictly and flexibly, or why there is none."""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from typing import Any

from .numbers import find_number

OK, UNPARSED, REFUSED, FILTERED = "ok", "unparsed", "refused", "filtered"
_THOUGHT = re.compile(r"<think(?:ing)?>.*?(?:</think(?:ing)?>|$)", re.DOTALL)
_OBJECT = re.compile(r"\{[^{}]*\}")
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


def read_reply(response: dict[str, Any], unit: str) -> Reading:
    """Read a chat completion.

    Args:
        response: the completion, as the endpoint gave it.
        unit: unit of the target.
    """
    choice = response["choices"][0]
    message, end = choice.get("message") or {}, choice.get("finish_reason")
    if end == "content_filter":
        return Reading(FILTERED)
    if message.get("refusal"):
        return Reading(REFUSED)
    text = _THOUGHT.sub(" ", content_text(message)).strip()
    cut = end == "length"
    strict = _strict(text)
    flexible = strict if strict is not None else _flexible(text, unit, cut)
    if flexible is not None:
        return Reading(OK, strict, flexible, cut)
    return Reading(REFUSED if _SORRY.search(text.replace("\u2019", "'")) else UNPARSED, cut=cut)


def content_text(message: dict[str, Any]) -> str:
    """The text of a message, which some servers give in parts."""
    content = message.get("content")
    if isinstance(content, list):
        return "".join(str(part.get("text") or "") for part in content if isinstance(part, dict))
    return content if isinstance(content, str) else ""


def _strict(text: str) -> float | None:
    """The value of an object with that one key."""
    found = _loads(text)
    return _number(found["value"]) if isinstance(found, dict) and set(found) == {"value"} else None


def _flexible(text: str, unit: str, cut: bool) -> float | None:
    """The last object with a value in it, or the last number; of a reply that was cut off, a whole object only."""
    for match in reversed(_OBJECT.findall(text)):
        found = _loads(match)
        if isinstance(found, dict) and "value" in found:
            value = found["value"]
            if isinstance(value, str) or _number(value) is not None:
                return find_number(f"{value} {found.get('unit', '')}".strip(), unit)
            return None
    return None if cut else find_number(text, unit)


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
