"""Numbers in plain text: how they are written, their sign, and what they are worth."""

from __future__ import annotations

import math
import re

from .plain_text import DASH, MINUS

_SIGN = f"[-+{MINUS}{DASH}]"
_DIGITS = (
    r"(?:[1-9]\d{0,2}(?:\.\d{3})+,\d+"  # 1.234,5
    r"|[1-9]\d{0,2}(?:\.\d{3}){2,}"  # 1.234.567
    r"|[1-9]\d?(?:,\d\d)+,\d{3}(?:\.\d+)?"  # 1,23,456
    r"|[1-9]\d{0,2}(?:[,_]\d{3})+(?:\.\d+)?"  # 1,234.5
    r"|[1-9]\d?(?: \d{3})+(?:[.,]\d+)?|[1-9]\d\d(?: 000)+"  # 1 234
    r"|\d+[.,]\d+|\d+\.?|\.\d+)(?![.,]?\d)"
)
_TEN_TO = rf"10\s?\^\s?(?:\(\s?)?{_SIGN}?\s?\d{{1,4}}(?:\s?\))?"
_POWER = rf"(?:[eE]{_SIGN}?\d{{1,4}}(?![.,]?\d)|\s{{0,3}}[xX\u00d7*\u00b7]\s{{0,3}}{_TEN_TO})"
# Without its sign, and with it; what was matched is never given back, so that 10 is not the start of 10^2.
UNSIGNED = rf"(?>{_TEN_TO}|{_DIGITS}{_POWER}?)(?!\s?\^|\s?\([xX\u00d7]\s?10\b)"
LOOSE = rf"(?>(?:{_SIGN}\s?)?{UNSIGNED})"
# It stands alone: not inside a word, a formula (Al2O3) or another number, also one that was passed over (#.#).
NUMBER = re.compile(rf"(?<![A-Za-z\u00c0-\u052f\d_^.,#])(?<!\^\()(?<!\^[-+\u2212])(?<!\^\([-+\u2212]){UNSIGNED}")

_DASH_BEFORE = re.compile(rf"(?P<dash>[-{MINUS}{DASH}])(?P<gap>[ \t]*)(?:[(\[][ \t]?)?$")
_NEGATIVE = re.compile(r"(?<![-\w])negative\b[^.\n\d]{0,30}$", re.IGNORECASE)
_AFTER_VERB = re.compile(r"\b(?:is|was|be|of|about|around|approximately|roughly|equals|at)$", re.IGNORECASE)
_EXPONENT = re.compile(rf"\^\s?\(?\s?({_SIGN}?)\s?(\d+)")
_TO_MINUS = str.maketrans({MINUS: "-", DASH: "-"})


def sign_before(text: str, start: int) -> int | None:
    """1 or -1 for the sign of the number that starts at a position; None where that is not certain."""
    line = text[max(text.rfind("\n", 0, start) + 1, start - 60) : start]
    found = _DASH_BEFORE.search(line)
    if found is None:
        return None if _NEGATIVE.search(line) else 1
    before = line[: found.start()]
    last = before.rstrip()[-1:]
    if not found["gap"]:
        return -1 if not before or before[-1].isspace() or before[-1] in "([{=:~<>|\"'/,;*\u00b1\u00b0" else None
    if found["dash"] == MINUS:
        return None if last.isdigit() or last in (")", "]", "%") else -1
    return -1 if (last and last in "([=:~|") or _AFTER_VERB.search(before.rstrip()) else None


def magnitude(number: str) -> float:
    """The value of a number without its sign, as matched by `UNSIGNED`; infinite where it is too large."""
    exponent = _EXPONENT.search(number)
    mantissa = re.split(r"\s*[xX\u00d7*\u00b7]\s*|\b10\s?\^", number)[0] if exponent else number
    power = exponent[1].translate(_TO_MINUS) + exponent[2] if exponent else "0"
    digits, _, written = mantissa.translate(_TO_MINUS).lower().partition("e")
    digits = re.sub(r"[ _]", "", digits) or "1"
    if re.fullmatch(r"\d{1,3}(?:\.\d{3})+,\d+|\d{1,3}(?:\.\d{3}){2,}", digits):
        digits = digits.replace(".", "").replace(",", ".")  # 1.234,5
    elif re.fullmatch(r"\d+,\d{1,2}|\d+,\d{4,}|0,\d+", digits):
        digits = digits.replace(",", ".")  # decimal comma
    try:
        return float(f"{digits.replace(',', '')}e{written or power}")
    except (ValueError, OverflowError):
        return math.inf
