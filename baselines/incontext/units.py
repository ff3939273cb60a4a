"""Units that replies use, by quantity."""

from __future__ import annotations

import re

_PER_ATOM = r"(?:\s*/\s*atom|\s+per\s+atom)?"
_NOT_PER_CELL = r"(?!\s*(?:/|per)\s*(?:f\.?u|formula|unit|cell|primitive))"
# Patterns and their size in multiples of the first, quantity by quantity.
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
    # Never the unit of a target: a number that has one of these is about something else.
    (
        (r"\u00c5\^?3?|[Aa]ngstroms?|nm|pm|K|kelvin|%|percent|g\s*/\s*cm\^?3|\u00b0C?|degrees?", 1.0),
        (r"(?:m?eV|Ry|Ha)\s*(?:/|per)\s*(?:f\.?u\.?|formula unit|unit cell|cell|primitive cell)", 1.0),
    ),
)
# Spelling as it should be counts before spelling in any case.
_UNITS = [
    (quantity, re.compile(rf"\s*\{{?\s*(?:{pattern})(?![A-Za-z\d])(?!\s*/\s*[a-z])", flags), factor)
    for flags in (0, re.IGNORECASE)
    for quantity, units in enumerate(_QUANTITIES)
    for pattern, factor in units
]
_ALL = "|".join(pattern for units in _QUANTITIES for pattern, _ in units)
_GLUED = re.compile(rf"(?<=\d)(?=(?:{_ALL})(?![A-Za-z\d]))")
_INVERSE = re.compile(r"[\s\u00b7\u22c5*]*\b(mol|atoms?|m|cm)\s*\^\s*\{?[-\u2212]([123])\}?")


def unit_after(text: str, start: int) -> tuple[int, float] | None:
    """Quantity and factor of the unit that stands at a place in a text; None where there is none."""
    found = ((quantity, factor) for quantity, pattern, factor in _UNITS if pattern.match(text, start))
    return next(found, None)


def with_space_before_units(text: str) -> str:
    """A text with `150GPa` as `150 GPa`, and `kJ mol^-1` as `kJ/mol`."""
    text = _INVERSE.sub(lambda match: f"/{match[1]}" + ("" if match[2] == "1" else f"^{match[2]}"), text)
    return _GLUED.sub(" ", text)
