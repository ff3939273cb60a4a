"""Chemical formulas as amounts per element."""

from __future__ import annotations

import re

from .errors import DataError

_PART = re.compile(r"([A-Z][a-z]?)(\d+(?:\.\d+)?)?")


def parse_formula(formula: str) -> dict[str, float]:
    """Amounts by element symbol of a flat formula such as `K2S` or `Ni46Sc2`.

    Raises:
        DataError: the text is not such a formula.
    """
    if not re.fullmatch(f"(?:{_PART.pattern})+", formula):
        raise DataError(f"'{formula}' is not a chemical formula of the form K2S.")
    amounts: dict[str, float] = {}
    for symbol, amount in _PART.findall(formula):
        amounts[symbol] = amounts.get(symbol, 0.0) + float(amount or 1)
    return amounts
