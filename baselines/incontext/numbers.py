"""The number in a reply that is not the JSON it was asked to be."""

from __future__ import annotations

import math
import re

from .units import unit_after, with_space_before_units

_MINUS = "-\u2212\u2013"
_SUPERSCRIPTS = str.maketrans(
    "\u2070\u00b9\u00b2\u00b3\u2074\u2075\u2076\u2077\u2078\u2079\u207b\u207a", "0123456789-+"
)
_SUPERSCRIPT_RUN = re.compile("[\u2070\u00b9\u00b2\u00b3\u2074-\u2079\u207b\u207a]+")

# A number that stands alone: not in a word, a formula (Al2O3) or an id (mp-101).
_DIGITS = r"(?:[1-9]\d{0,2}(?:\.\d{3})+,\d+|[1-9]\d{0,2}(?:,\d{3})+(?:\.\d+)?|\d+,\d+|\d+(?:\.\d*)?|\.\d+)"
_TIMES_TEN = r"\s*(?:[x\u00d7*\u00b7]|\\times|\\cdot)\s*10\s*(?:\^|\*\*)\s*\{?"
_POWER = rf"(?:[eE][{_MINUS}+]?\d+|{_TIMES_TEN}[{_MINUS}+]?\d+\}}?)"
_LOOSE = rf"[{_MINUS}+]?{_DIGITS}{_POWER}?"
_NUMBER = re.compile(rf"(?<![\w.,^])(?<![A-Za-z]-){_LOOSE}(?![\w^]|[.,]\d)")
_WORD = (
    r"(?:(?!e[-+\d])[A-Za-z\u00b5\u03bc\u00c5%][A-Za-z\u00b5\u03bc\u00c5%/^\d]*)?"  # a unit between two ends of a range
)

# What is no answer, though it has numbers: ranges, bounds and choices.
_NO_ANSWERS = (
    re.compile(rf"(?<![\w.]){_LOOSE}\s*{_WORD}\s*(?:[{_MINUS}\u2014~]|\b(?:to|or)\b|\.\.+)\s*{_LOOSE}(?![\w^])"),
    re.compile(rf"\b(?:between|from)\s+{_LOOSE}\s*{_WORD}\s+(?:and|to)\s+{_LOOSE}"),
    re.compile(
        rf"(?:[<>\u2264\u2265]=?|\b(?:at (?:least|most)|(?:more|less|greater|higher|lower) than|up to|above|below|over|"
        rf"under))\s*{_LOOSE}",
        re.IGNORECASE,
    ),
)
# Numbers about something else: of an example or a step, a confidence, a list entry, a plane, an uncertainty.
_NOISE = (
    re.compile(
        rf"\b(?:examples?|steps?|samples?|confidence|probability|certainty|figure|table|equation|number|group|"
        rf"rank(?:s|ed|ing)?)"
        rf"\s*(?:level|score|is|of|no\.|[:=#(])?\s*{_LOOSE}\s*%?",
        re.IGNORECASE,
    ),
    re.compile(r"^\s*\(?[12]?\d[.)]\s+(?=\S)", re.MULTILINE),
    re.compile(rf"(?:\u00b1|\+/-|\+-|\\pm)\s*{_LOOSE}"),
    re.compile(r"(?<=\d)\(\d+\)"),
    re.compile(
        r"[(\[<]-?\d{3}[)\]>](?=[\s-]*(?:planes?|slices?|surfaces?|faces?|directions?|facets?|orientations?|cuts?)\b)"
    ),
    re.compile(r"\b(?:along|the|plane)\s+[(\[<]-?\d{3}[)\]>]"),
    re.compile(r"(?<=\w\s)[(\[<][0-2]{3}[)\]>]"),
    re.compile(r"^\s*[-\u2212\u2013]\s+(?=[\d.])[^\n]*$", re.MULTILINE),  # a sign, or the dot of a list: nobody knows
)


def find_number(text: str, unit: str) -> float | None:
    """The answer in a text: the last number that can be one.

    Numbers in another unit of the same quantity are converted. Ranges, bounds and choices are no answers. Numbers in
    formulas, ids, planes, list entries, uncertainties, or in units of other quantities are not candidates.

    Args:
        text: a reply.
        unit: unit of the target.
    """
    text = _plainly(text)
    wanted = unit_after(unit, 0)
    for noise in _NOISE:
        text = noise.sub(" ", text)
    excluded = [match.span() for pattern in _NO_ANSWERS for match in pattern.finditer(text)]
    answer = None
    for match in _NUMBER.finditer(text):
        if any(low <= match.start() < high for low, high in excluded):
            continue
        found = unit_after(text, match.end())
        if found is None:
            answer = _value(match.group())
        elif wanted is not None and found[0] == wanted[0]:
            answer = _value(match.group()) * found[1] / wanted[1]
    return answer if answer is not None and math.isfinite(answer) else None


def _plainly(text: str) -> str:
    """A text without what typesetting, markdown and habits put into and around numbers."""
    text = _SUPERSCRIPT_RUN.sub(lambda run: "^" + run.group().translate(_SUPERSCRIPTS), text)
    for _ in range(3):  # one in another
        text = re.sub(r"\\(?:text|mathrm|mathbf|rm|boxed)\s*\{([^{}]*)\}", r"\1", text)
    text = re.sub(r"\\[,!]", "", text)
    text = re.sub(r"\\[;: ]|[$~\u2248]|\*\*", " ", text)
    text = re.sub(r"(?<!\w)_{1,2}(?=[-\d.])|(?<=\d)_{1,2}(?!\w)", " ", text)
    text = re.sub(r"(?<=\d)[\u00a0\u202f\u2009'\u2019](?=\d{3}(?!\d))", "", text)
    text = re.sub(r"(?<![\w.,])([1-9]\d{0,2}) (\d{3})(?![\w.,]\d|\d)", r"\1\2", text)
    text = re.sub(r"(?<=[A-Za-z])\.(?=[-\u2212+\d])", ". ", text)  # approx.-1.5
    text = re.sub(r"\b(?:minus|negative)\s+(?=[\d.])", "-", text, flags=re.IGNORECASE)
    text = re.sub(r"(?<=[:=])\s*[-\u2212]\s+(?=[\d.])", " -", text)
    return with_space_before_units(text)


def _value(number: str) -> float:
    for minus in _MINUS[1:]:
        number = number.replace(minus, "-")
    mantissa, _, power = re.sub(_TIMES_TEN, "e", number.lower()).rstrip("}").partition("e")
    if re.fullmatch(r"[-+]?\d{1,3}(?:\.\d{3})+,\d+", mantissa):
        mantissa = mantissa.replace(".", "").replace(",", ".")  # 1.234,5
    elif re.fullmatch(r"[-+]?(?:\d+,\d{1,2}|\d+,\d{4,}|0,\d+)", mantissa):
        mantissa = mantissa.replace(",", ".")  # a decimal comma
    try:
        return float(f"{mantissa.replace(',', '')}e{power or 0}")
    except (ValueError, OverflowError):
        return math.nan
