"""Chemical formulas: amounts per element, and statistics of the elements' properties as features."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import numpy as np

from ..benchmark.errors import DataError

_TABLE = Path(__file__).parent / "elements.csv"
_PART = re.compile(r"([A-Z][a-z]?)(\d+(?:\.\d+)?)?")
# A group in brackets that holds no other, and how often it is there.
_GROUP = re.compile(rf"\((?P<inner>(?:{_PART.pattern})+)\)(?P<factor>\d*\.?\d*)")


def parse_formula(formula: str) -> dict[str, float]:
    """Amounts by element symbol of a formula such as `K2S`, `Ni46Sc2` or `Ba(NO3)2`.

    Raises:
        DataError: the text is not a chemical formula.
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


@cache
def element_properties() -> tuple[tuple[str, ...], dict[str, np.ndarray]]:
    """Names of the properties and, by element symbol, their values; made from pymatgen's tables, whose gaps
    were filled by the median."""
    with _TABLE.open(newline="", encoding="utf-8") as file:
        header, *lines = csv.reader(file)
    return tuple(header[1:]), {line[0]: np.array(line[1:], dtype=float) for line in lines}


def composition_features(formulas: Iterable[str]) -> np.ndarray:
    """Amount-weighted mean and deviation, minimum, maximum and range of each element property, and the number of
    elements.

    Returns:
        Shape (n, 5 x properties + 1).

    Raises:
        DataError: a formula cannot be read or has an unknown element.
    """
    _, table = element_properties()
    return np.stack([_features(formula, table) for formula in formulas])


def _features(formula: str, table: dict[str, np.ndarray]) -> np.ndarray:
    amounts = parse_formula(formula)
    if unknown := [symbol for symbol in amounts if symbol not in table]:
        raise DataError(f"'{formula}' has the unknown element {unknown[0]}; check the formula.")
    values = np.stack([table[symbol] for symbol in amounts])
    weights = np.array(list(amounts.values())) / sum(amounts.values())
    mean = weights @ values
    deviation = weights @ np.abs(values - mean)
    low, high = values.min(axis=0), values.max(axis=0)
    return np.concatenate([mean, deviation, low, high, high - low, [len(amounts)]])
