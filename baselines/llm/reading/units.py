"""Units in text: which spellings mean which unit, and how much one unit is in another."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

from ....benchmark.errors import MissingExtraError
from .substitutions import Substitutions

if TYPE_CHECKING:
    import pint

# Symbols, with their name for pint and the prefixes that occur with them.
_SYMBOLS = (
    ("Pa", "pascal", "TGMkh"), ("bar", "bar", "GMkT"), ("atm", "atm", "Mk"), ("psi", "psi", "Mk"), ("Torr", "torr", ""),
    ("mmHg", "mmHg", ""), ("kgf", "kilogram_force", ""), ("N", "newton", "kmMn\u00b5"), ("dyn", "dyne", ""),
    ("eV", "electron_volt", "km\u00b5nu"), ("Ry", "rydberg", "m"), ("Ha", "hartree", "m"), ("Eh", "hartree", ""),
    ("J", "joule", "km\u00b5un"), ("cal", "calorie", "k"), ("erg", "erg", ""), ("mol", "avogadro_number", "km"),
    ("m", "meter", "ckm\u00b5unp"), ("\u00c5", "angstrom", ""), ("A", "angstrom", ""), ("bohr", "bohr", ""),
    ("g", "gram", "km\u00b5u"), ("s", "second", "m\u00b5unpf"), ("Hz", "hertz", "kMGT"), ("W", "watt", "kmM"),
    ("K", "kelvin", "m"), ("degC", "degree_Celsius", ""), ("e", "elementary_charge", ""), ("V", "volt", "km"),
    ("S", "siemens", "km"), ("\u03a9", "ohm", "km"), ("T", "tesla", "m"), ("\u00b5B", "bohr_magneton", "m"),
    ("atom", "atom", ""), ("fu", "formula_unit", ""), ("cell", "unit_cell", ""), ("%", "percent", ""),
)  # fmt: skip
_PREFIXES = {
    "T": "tera", "G": "giga", "M": "mega", "k": "kilo", "h": "hecto", "c": "centi", "m": "milli", "\u00b5": "micro",
    "u": "micro", "n": "nano", "p": "pico", "f": "femto",
}  # fmt: skip
# Names that differ from pint's, and names that are the same; each can have a prefix and a plural.
_NAMES = {
    "atmosphere": "atm", "electronvolt": "electron_volt", "metre": "meter", "\u00e5ngstr\u00f6m": "angstrom",
    "mole": "avogadro_number", "cell": "unit_cell",
} | {
    name: name for name in ("pascal", "bar", "rydberg", "hartree", "joule", "calorie", "newton", "dyne", "erg", "meter",
                            "angstrom", "gram", "kelvin", "second", "hertz", "volt", "watt", "tesla", "atom", "percent")
}  # fmt: skip
# Here M or m may be meant, and the two are a thousand million times apart; they count as no unit.
_AMBIGUOUS = ("mPa", "mbar", "MeV", "Mev", "MEV", "MJ", "MRy", "MHa")
# Spellings in several words or in other scripts.
_RESPELLED = Substitutions(
    (
        (r"\b(giga|mega|kilo|tera|milli|micro|nano)[- ]{1,2}(?=pascal|bar|electron|joule|newton|met(?:er|re))", r"\1"),
        (r"electron[- ]volt", "electronvolt"),
        (r"bohr[- ]magnetons?|(?<![^\W\d_])mu_?B\b|\u00b5_?B\b", "\u00b5B"),
        (r"\bf\.\s?u\b\.?|\bformula[- ]units?\b|\bf\.\s?unit\b", "fu"),
        (r"\b(?:primitive|unit|conventional)[- ]cells?\b", "cell"),
        (r"(?<=/)at\b\.?", "atom"),
        (r"\bg-atoms?\b|\bgram-atoms?\b", "mol"),
        (r"\bmol(?:e|es)? of atoms\b", "mol atom"),
        (r"\bper cent\b", "%"),
        (r"\u00b0\s?C\b", "degC"),
        (r"\bsquare (\w+)", r"\1^2"),
        (r"\bcubic (\w+)", r"\1^3"),
        ("\u0413\u041f\u0430|\u5409\u5e15(?:\u65af\u5361)?|\u30ae\u30ac\u30d1\u30b9\u30ab\u30eb", " GPa "),
        ("\u041c\u041f\u0430|\u5146\u5e15", " MPa "),
        ("\u044d\u0412|[\u7535\u96fb]\u5b50\u4f0f\u7279?|\u96fb\u5b50\u30dc\u30eb\u30c8", " eV "),
    )
)
_LETTER = r"[^\W\d_\u2e80-\uffff]"
_WORD = re.compile(rf"%|{_LETTER}+")
_EXPONENT = re.compile(
    r"(?:\s?(?:\^|\*\*)\s?(?:\(\s?)?(?P<raised>[-\u2212+]?\d)(?:\s?\))?|(?P<glued>[-\u2212]?[1-9]))(?!\d|[.,]\d)"
)
_OVER, _TIMES = re.compile(r"\s?(?:/|\bper\b)\s?"), re.compile(rf"\s?[\u00b7*\u00d7]\s?|\s{{1,2}}|-(?={_LETTER})")
_OPEN, _CLOSE = re.compile(r"[(\[]\s?"), re.compile(r"\s?[)\]]")

_MOST_FACTORS = 6
# A unit as powers of pint's units, as in (("electron_volt", 1), ("atom", -1)).
Unit = tuple[tuple[str, int], ...]


@lru_cache(maxsize=1)
def _vocabulary() -> dict[str, str]:
    """Every spelling of a simple unit, with its name for pint; in other cases too, unless that is ambiguous."""
    symbols = {symbol: name for symbol, name, _ in _SYMBOLS}
    symbols |= {p + symbol: _PREFIXES[p] + name for symbol, name, prefixes in _SYMBOLS for p in prefixes}
    names = {p + spelled: p + name for spelled, name in _NAMES.items() for p in ("", *_PREFIXES.values())}
    names |= {f"{spelled}s": name for spelled, name in names.items()}
    for spelled, name in symbols.items():
        if len(spelled) > 1:
            names.setdefault(spelled[0] + spelled[1:].casefold(), name)
            names.setdefault(spelled.casefold(), name)
    return {spelled: name for spelled, name in (names | symbols).items() if spelled not in _AMBIGUOUS}


def _simple_unit(word: str) -> str | None:
    known = _vocabulary()
    if word in known or len(word) == 1 or word in _AMBIGUOUS:
        return known.get(word)
    return known.get(word[0] + word[1:].casefold()) or known.get(word.casefold())


def respelled(text: str) -> str:
    """A text in which units of several words, or in other scripts, have their usual symbol."""
    return _RESPELLED.apply(text)


def unit_at(text: str, start: int) -> tuple[Unit, int] | None:
    """The unit that begins at a position of a text, and its end; None where there is none.

    All factors after a slash are divisors, as in kJ/mol atom. What is divided by something unknown is no unit.
    """
    powers: list[tuple[str, int]] = []
    over = _OVER.match(text, start)
    position = end = over.end() if over else start
    is_inside = False
    while True:
        separator = text[end:position]
        opening = _OPEN.match(text, position) if over else None
        word = _WORD.match(text, opening.end() if opening else position)
        name = _simple_unit(word[0]) if word else None
        if word is None or name is None:
            # Divided by what is no unit, or by a number; but "135 GPa / 19.6 Mpsi" are two.
            is_divided = ("/" in separator or "per" in separator) and (
                word or (text[position : position + 1].isdigit() and separator != " / ")
            )
            return None if is_divided or not powers else (tuple(powers), end)
        exponent = _EXPONENT.match(text, word.end())
        if separator.isspace() and not (exponent or is_inside or (over and (len(word[0]) > 1 or word[0] == "K"))):
            return tuple(powers), end  # the next word of a sentence
        if len(powers) == _MOST_FACTORS:
            return None
        power = int((exponent["raised"] or exponent["glued"]).replace("\u2212", "-")) if exponent else 1
        powers.append((name, -power if over else power))
        end = exponent.end() if exponent else word.end()
        is_inside |= opening is not None
        if is_inside and (closing := _CLOSE.match(text, end)):
            end, is_inside = closing.end(), False
        separators = _OVER.match(text, end), _TIMES.match(text, end)
        over = over or separators[0]
        position = next((found.end() for found in separators if found), end)
        if position == end:
            return tuple(powers), end


def parse_unit(unit: str) -> Unit | None:
    """A unit of a dataset, in plain characters; None if it is not known."""
    unit = respelled(unit).strip()
    found = unit_at(unit, 1 if unit.startswith("1/") else 0)
    return found[0] if found and found[1] == len(unit) else None


@lru_cache(maxsize=1)
def _registry() -> pint.UnitRegistry:
    try:
        import pint
    except ImportError as error:
        raise MissingExtraError("The model in-context", "llm") from error
    registry = pint.UnitRegistry()
    for name in ("atom", "formula_unit", "unit_cell"):
        registry.define(f"{name} = [{name}]")
    return registry


@lru_cache(maxsize=4096)
def size_in(found: Unit, wanted: Unit) -> float | None:
    """How many of the wanted unit are in another; None if that measures something else.

    An energy is one per atom where nothing is said; a target that is not per atom can be per cell or formula unit.
    """
    if sorted(found) == sorted(wanted):
        return 1.0
    registry = _registry()
    unit, target = ("*".join(f"{name}**{power}" for name, power in powers) for powers in (found, wanted))
    try:
        ratio = (registry.Quantity(1.0, unit) / registry.Quantity(1.0, target)).to_base_units()
    except TypeError:  # degrees Celsius have no size
        return None
    left = {name: power for name, power in ratio.dimensionality.items() if power}
    tolerated: list[dict[str, int]] = [{}]
    if registry.get_dimensionality(target) in (
        registry.get_dimensionality(energy) for energy in ("joule", "joule/atom")
    ):
        tolerated += [{"[atom]": 1}, {"[atom]": -1}]
    if ("atom", -1) not in wanted:
        tolerated += [{"[formula_unit]": -1}, {"[unit_cell]": -1}]
    return float(ratio.magnitude) if left in tolerated else None
