"""The number in a reply that is not the JSON it was asked to be."""

from __future__ import annotations

import math
import re

_MINUS = "-\u2212\u2013"
_SUPERSCRIPTS = str.maketrans(
    "\u2070\u00b9\u00b2\u00b3\u2074\u2075\u2076\u2077\u2078\u2079\u207b\u207a", "0123456789-+"
)
_SUPERSCRIPT_RUN = re.compile("[\u2070\u00b9\u00b2\u00b3\u2074-\u2079\u207b\u207a]+")

# A number that stands alone: not in a word, a formula (Al2O3) or an id (mp-101).
_DIGITS = r"(?:[1-9]\d{0,2}(?:,\d{3})+(?:\.\d+)?|\d+,\d+|\d+(?:\.\d*)?|\.\d+)"
_POWER = rf"(?:[eE][{_MINUS}+]?\d+|\s*(?:[x\u00d7*\u00b7]|\\times|\\cdot)\s*10\s*(?:\^|\*\*)\s*\{{?[{_MINUS}+]?\d+\}}?)"
_NUMBER = rf"(?<![\w.,^])(?<![A-Za-z]-)[{_MINUS}+]?{_DIGITS}{_POWER}?(?![\w^]|[.,]\d)"
_LOOSE = rf"[{_MINUS}+]?{_DIGITS}{_POWER}?"
_WORDS = (
    r"(?:(?!e[-+\d])[A-Za-z\u00b5\u03bc\u00c5%][A-Za-z\u00b5\u03bc\u00c5%/^\d]*)?"  # a unit between two ends of a range
)

_RANGES = (
    re.compile(rf"(?<![\w.]){_LOOSE}\s*{_WORDS}\s*(?:[{_MINUS}\u2014~]|\bto\b|\.\.+)\s*{_LOOSE}(?![\w^])"),
    re.compile(rf"\b(?:between|from)\s+{_LOOSE}\s*{_WORDS}\s+(?:and|to)\s+{_LOOSE}"),
)
_UNCERTAINTY = re.compile(rf"(?:\u00b1|\+/-|\+-|\\pm)\s*{_LOOSE}")
_POWER_OF_TEN = re.compile(r"\s*(?:[x\u00d7*\u00b7]|\\times|\\cdot)\s*10\s*(?:\^|\*\*)\s*\{?")
_MILLER = re.compile(r"[(\[<][-\u2212]?\d{3}[)\]>]")

# Units by quantity, in multiples of the first.
_PER = r"(?:\s*/\s*atom|\s+per\s+atom)?"
_QUANTITIES: tuple[tuple[tuple[str, float], ...], ...] = (
    (
        (r"GPa|gigapascals?", 1.0),
        (r"MPa|megapascals?", 1e-3),
        (r"kPa", 1e-6),
        (r"TPa", 1e3),
        (r"Pa|pascals?", 1e-9),
        (r"Mbar|megabars?", 100.0),
        (r"kbar|kilobars?", 0.1),
        (r"bar", 1e-4),
    ),
    (
        (rf"eV{_PER}|electron[- ]?volts?{_PER}", 1.0),
        (rf"meV{_PER}", 1e-3),
        (rf"Ry{_PER}|rydbergs?{_PER}", 13.605693),
        (rf"Ha{_PER}|hartrees?{_PER}", 27.211386),
        (r"kJ\s*/\s*mol", 0.010364270),
        (r"kcal\s*/\s*mol", 0.043364104),
    ),
    (
        (r"mJ\s*/\s*m\^?2|ergs?\s*/\s*cm\^?2", 1.0),
        (r"J\s*/\s*m\^?2", 1e3),
    ),
    ((r"(?:\\?mu|[\u00b5\u03bc])_?\{?B\}?|Bohr magnetons?", 1.0),),
    # Never the unit of a target: a number that has one of these is about something else.
    ((r"\u00c5\^?3?|[Aa]ngstroms?|nm|pm|K|kelvin|%|percent|g\s*/\s*cm\^?3|\u00b0C?|degrees?|eV\s*/\s*f\.?u\.?", 1.0),),
)
_GAP = r"[\s$~]*(?:\\[,;: ]|\\(?:text|mathrm|rm)\s*\{)?\s*"


# Spelling as it should be counts before spelling in any case.
_UNITS = [
    (quantity, re.compile(rf"{_GAP}(?:{pattern})(?![A-Za-z\d])(?!\s*/\s*[a-z])", flags), factor)
    for flags in (0, re.IGNORECASE)
    for quantity, units in enumerate(_QUANTITIES)
    for pattern, factor in units
]


def find_number(text: str, unit: str) -> float | None:
    """The answer in a text: the last number in the unit of the target, or else the last one without a unit.

    Numbers in another unit of the same quantity are converted. A range is no answer. Numbers in formulas, ids, Miller
    indices or units of other quantities are not candidates.

    Args:
        text: a reply.
        unit: unit of the target.
    """
    text = _SUPERSCRIPT_RUN.sub(lambda run: "^" + run.group().translate(_SUPERSCRIPTS), text)
    text = _UNCERTAINTY.sub(" ", _MILLER.sub(" ", text)).replace("**", "").replace("\u00a0", " ")
    ranges = [match.span() for pattern in _RANGES for match in pattern.finditer(text)]
    wanted = _unit_at(unit, 0)
    bare: tuple[int, float] | None = None
    in_unit: tuple[int, float] | None = None
    for match in re.finditer(_NUMBER, text):
        found = _unit_at(text, match.end())
        value = _value(match.group())
        if found is None:
            bare = match.start(), value
        elif wanted is not None and found[0] == wanted[0]:
            in_unit = match.start(), value * found[1] / wanted[1]
    answer = in_unit or bare
    if answer is None or any(low <= answer[0] < high for low, high in ranges) or not math.isfinite(answer[1]):
        return None
    return answer[1]


def _unit_at(text: str, start: int) -> tuple[int, float] | None:
    """Quantity and factor of the unit that stands at a place in a text."""
    found = ((quantity, factor) for quantity, pattern, factor in _UNITS if pattern.match(text, start))
    return next(found, None)


def _value(number: str) -> float:
    for minus in _MINUS[1:]:
        number = number.replace(minus, "-")
    mantissa, _, power = _POWER_OF_TEN.sub("e", number.lower()).rstrip("}").partition("e")
    if re.fullmatch(r"[-+]?(?:\d+,\d{1,2}|\d+,\d{4,}|0,\d+)", mantissa):
        mantissa = mantissa.replace(",", ".")  # a decimal comma
    try:
        return float(f"{mantissa.replace(',', '')}e{power or 0}")
    except (ValueError, OverflowError):
        return math.nan
