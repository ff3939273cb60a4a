"""Numbers with units in free text, for replies that are not the JSON that was asked for."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

_PER_ATOM = r"(?:\s*/\s*atom|\s+per\s+atom)?"
_NOT_PER_CELL = r"(?!\s*(?:/|per)\s*(?:f\.?u|formula|unit|cell|primitive))"
# Unit patterns by quantity, each with its size in multiples of the quantity's first unit.
_FRACTION = ((r"%|percent", 0.01),)
_QUANTITIES: tuple[tuple[tuple[str, float], ...], ...] = (
    (
        (r"GPa|gigapascals?", 1.0),
        (r"MPa|megapascals?", 1e-3),
        (r"kPa", 1e-6),
        (r"TPa", 1e3),
        (r"Pa|pascals?|N\s*/\s*m\^?2", 1e-9),
        (r"Mbar|megabars?", 100.0),
        (r"kbar|kilobars?", 0.1),
        (r"bar", 1e-4),
    ),
    (
        (rf"(?:eV|electron[- ]?volts?){_PER_ATOM}{_NOT_PER_CELL}", 1.0),
        (rf"meV{_PER_ATOM}{_NOT_PER_CELL}", 1e-3),
        (rf"(?:Ry|rydbergs?){_PER_ATOM}{_NOT_PER_CELL}", 13.605693),
        (rf"(?:Ha|hartrees?){_PER_ATOM}{_NOT_PER_CELL}", 27.211386),
        (r"kJ\s*/\s*mol", 0.010364270),
        (r"kcal\s*/\s*mol", 0.043364104),
    ),
    (
        (r"mJ\s*/\s*m\^?2|ergs?\s*/\s*cm\^?2", 1.0),
        (r"J\s*/\s*m\^?2", 1e3),
    ),
    ((r"(?:\\?mu|[\u00b5\u03bc])_?\{?B\}?|Bohr magnetons?", 1.0),),
    _FRACTION,
    # Never the unit of a target: a number with one of these is about something else.
    (
        (r"\u00c5\^?3?|[Aa]ngstroms?|nm|pm|K|kelvin|g\s*/\s*cm\^?3|\u00b0C?|degrees?", 1.0),
        (r"(?:m?eV|Ry|Ha)\s*(?:/|per)\s*(?:f\.?u\.?|formula unit|unit cell|cell|primitive cell)", 1.0),
    ),
)
# Units spelled correctly take precedence over units in any case.
_UNITS = [
    (quantity, re.compile(rf"\s*\{{?\s*(?:{pattern})(?![A-Za-z\d])(?!\s*/\s*[a-z])", flags), factor)
    for flags in (0, re.IGNORECASE)
    for quantity, units in enumerate(_QUANTITIES)
    for pattern, factor in units
]
_ANY_UNIT = "|".join(pattern for units in _QUANTITIES for pattern, _ in units)
_GLUED_UNIT = re.compile(rf"(?<=\d)(?=(?:{_ANY_UNIT})(?![A-Za-z\d]))")
_INVERSE_UNIT = re.compile(r"[\s\u00b7\u22c5*]*\b(mol|atoms?|m|cm)\s*\^\s*\{?[-\u2212]([123])\}?")

_MINUS = "-\u2212\u2013"
_SUPERSCRIPTS = str.maketrans(
    "\u2070\u00b9\u00b2\u00b3\u2074\u2075\u2076\u2077\u2078\u2079\u207b\u207a", "0123456789-+"
)
_SUPERSCRIPT_RUN = re.compile("[\u2070\u00b9\u00b2\u00b3\u2074-\u2079\u207b\u207a]+")
# A number that stands alone: not inside a word, a formula (Al2O3) or an id (mp-101).
_DIGITS = r"(?:[1-9]\d{0,2}(?:\.\d{3})+,\d+|[1-9]\d{0,2}(?:,\d{3})+(?:\.\d+)?|\d+,\d+|\d+(?:\.\d*)?|\.\d+)"
_TIMES_TEN = r"\s*(?:[x\u00d7*\u00b7]|\\times|\\cdot)\s*10\s*(?:\^|\*\*)\s*\{?"
_POWER = rf"(?:[eE][{_MINUS}+]?\d+|{_TIMES_TEN}[{_MINUS}+]?\d+\}}?)"
_LOOSE = rf"[{_MINUS}+]?{_DIGITS}{_POWER}?"
_NUMBER = re.compile(rf"(?<![\w.,^])(?<![A-Za-z]-){_LOOSE}(?![\w^]|[.,]\d)")
# A unit between the two ends of a range.
_WORD = r"(?:(?!e[-+\d])[A-Za-z\u00b5\u03bc\u00c5%][A-Za-z\u00b5\u03bc\u00c5%/^\d]*)?"

# Not answers although they contain numbers: ranges, bounds and alternatives.
_NOT_ANSWERS = (
    re.compile(rf"(?<![\w.]){_LOOSE}\s*{_WORD}\s*(?:[{_MINUS}\u2014~]|\b(?:to|or)\b|\.\.+)\s*{_LOOSE}(?![\w^])"),
    re.compile(rf"\b(?:between|from)\s+{_LOOSE}\s*{_WORD}\s+(?:and|to)\s+{_LOOSE}"),
    re.compile(
        rf"(?:[<>\u2264\u2265]=?|\b(?:at (?:least|most)|(?:more|less|greater|higher|lower) than|up to|above|below|over|"
        rf"under))\s*{_LOOSE}",
        re.IGNORECASE,
    ),
)


def _labelled(labels: str) -> re.Pattern[str]:
    """A number that one of several words says is about something else."""
    return re.compile(rf"\b(?:{labels})\s*(?:level|score|is|of|no\.|[:=#(])?\s*{_LOOSE}\s*%?", re.IGNORECASE)


# Numbers about something else: a probability, an example or a step, a list entry, an uncertainty, a plane.
_PROBABILITY = _labelled("probability")
_NOISE = (
    _labelled("examples?|steps?|samples?|confidence|certainty|figure|table|equation|number|group|rank(?:s|ed|ing)?"),
    re.compile(r"^\s*\(?[12]?\d[.)]\s+(?=\S)", re.MULTILINE),
    re.compile(rf"(?:\u00b1|\+/-|\+-|\\pm)\s*{_LOOSE}"),
    re.compile(r"(?<=\d)\(\d+\)"),
    re.compile(
        r"[(\[<]-?\d{3}[)\]>](?=[\s-]*(?:planes?|slices?|surfaces?|faces?|directions?|facets?|orientations?|cuts?)\b)"
    ),
    re.compile(r"\b(?:along|the|plane)\s+[(\[<]-?\d{3}[)\]>]"),
    re.compile(r"(?<=\w\s)[(\[<][0-2]{3}[)\]>]"),
    re.compile(r"^\s*[-\u2212\u2013]\s+(?=[\d.])[^\n]*$", re.MULTILINE),  # a minus sign or a bullet: ambiguous
)


def find_number(text: str, unit: str) -> float | None:
    """The last number in a text that can be the answer, or None.

    Numbers in another unit of the same quantity are converted. Ranges, bounds and alternatives are not answers. Numbers
    in formulas, ids, planes, list entries, uncertainties, and in units of other quantities are passed over.

    Args:
        text: a reply.
        unit: unit of the target.
    """
    return _last_number(text, (_PROBABILITY, *_NOISE), _unit_at(unit, 0))


def find_probability(text: str) -> float | None:
    """As `find_number`, for a probability; percentages are converted to fractions."""
    return _last_number(text, _NOISE, (_QUANTITIES.index(_FRACTION), 1.0))


def _last_number(text: str, noise: Sequence[re.Pattern[str]], wanted: tuple[int, float] | None) -> float | None:
    text = _normalized(text)
    for pattern in noise:
        text = pattern.sub(" ", text)
    excluded = [match.span() for pattern in _NOT_ANSWERS for match in pattern.finditer(text)]
    answer = None
    for match in _NUMBER.finditer(text):
        if any(low <= match.start() < high for low, high in excluded):
            continue
        found = _unit_at(text, match.end())
        if found is None:
            answer = _to_float(match.group())
        elif wanted is not None and found[0] == wanted[0]:
            answer = _to_float(match.group()) * found[1] / wanted[1]
    return answer if answer is not None and math.isfinite(answer) else None


def _unit_at(text: str, start: int) -> tuple[int, float] | None:
    """Quantity and factor of the unit at a position in a text; None where there is none."""
    found = ((quantity, factor) for quantity, pattern, factor in _UNITS if pattern.match(text, start))
    return next(found, None)


def _normalized(text: str) -> str:
    """A text without the markup and typography in and around numbers, and with uniform units."""
    text = _SUPERSCRIPT_RUN.sub(lambda run: "^" + run.group().translate(_SUPERSCRIPTS), text)
    for _ in range(3):  # nested
        text = re.sub(r"\\(?:text|mathrm|mathbf|rm|boxed)\s*\{([^{}]*)\}", r"\1", text)
    text = re.sub(r"\\[,!]", "", text)
    text = re.sub(r"\\[;: ]|[$~\u2248]|\*\*", " ", text)
    text = re.sub(r"(?<!\w)_{1,2}(?=[-\d.])|(?<=\d)_{1,2}(?!\w)", " ", text)
    text = re.sub(r"(?<=\d)[\u00a0\u202f\u2009'\u2019](?=\d{3}(?!\d))", "", text)
    text = re.sub(r"(?<![\w.,])([1-9]\d{0,2}) (\d{3})(?![\w.,]\d|\d)", r"\1\2", text)
    text = re.sub(r"(?<=[A-Za-z])\.(?=[-\u2212+\d])", ". ", text)  # approx.-1.5
    text = re.sub(r"\b(?:minus|negative)\s+(?=[\d.])", "-", text, flags=re.IGNORECASE)
    text = re.sub(r"(?<=[:=])\s*[-\u2212]\s+(?=[\d.])", " -", text)
    # kJ mol^-1 becomes kJ/mol, 150GPa becomes 150 GPa.
    text = _INVERSE_UNIT.sub(lambda match: f"/{match[1]}" + ("" if match[2] == "1" else f"^{match[2]}"), text)
    return _GLUED_UNIT.sub(" ", text)


def _to_float(number: str) -> float:
    for minus in _MINUS[1:]:
        number = number.replace(minus, "-")
    mantissa, _, power = re.sub(_TIMES_TEN, "e", number.lower()).rstrip("}").partition("e")
    if re.fullmatch(r"[-+]?\d{1,3}(?:\.\d{3})+,\d+", mantissa):
        mantissa = mantissa.replace(".", "").replace(",", ".")  # 1.234,5
    elif re.fullmatch(r"[-+]?(?:\d+,\d{1,2}|\d+,\d{4,}|0,\d+)", mantissa):
        mantissa = mantissa.replace(",", ".")  # decimal comma
    try:
        return float(f"{mantissa.replace(',', '')}e{power or 0}")
    except (ValueError, OverflowError):
        return math.nan
