"""Chemical formulas as amounts per element."""

from __future__ import annotations

import re

from .errors import DataError

_PART = re.compile(r"([A-Z][a-z]?)(\d+(?:\.\d+)?)?")
# A group in brackets that holds no other, and how often it is there.
_GROUP = re.compile(rf"\((?P<inner>(?:{_PART.pattern})+)\)(?P<factor>\d*\.?\d*)")


def parse_formula(formula: str) -> dict[str, float]:
    """Amounts by element symbol of a formula such as `K2S`, `Ni46Sc2` or `Ba(NO3)2`.

    Raises:
        DataError: the text is not such a formula.
    """
    flat = formula
    while group := _GROUP.search(flat):
        factor = float(group["factor"] or 1)
        inner = "".join(f"{symbol}{float(amount or 1) * factor:g}" for symbol, amount in _PART.findall(group["inner"]))
        flat = flat[: group.start()] + inner + flat[group.end() :]
    if not re.fullmatch(f"(?:{_PART.pattern})+", flat):
        raise DataError(f"'{formula}' is not a chemical formula of the form K2S.")
    amounts: dict[str, float] = {}
    for symbol, amount in _PART.findall(flat):
        amounts[symbol] = amounts.get(symbol, 0.0) + float(amount or 1)
    return amounts
