"""Chemical formulas: amounts per element, and statistics of the elements' properties as features."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import numpy as np

from ..benchmark.errors import DataError
from ..benchmark.untrusted import printable
from .limits import LARGEST_AMOUNT, LONGEST_FORMULA

_TABLE = Path(__file__).parent / "elements.csv"
# A bracket that opens, or an element or a bracket that closes, which may be there several times.
_TOKEN = re.compile(r"\(|(?P<symbol>\)|[A-Z][a-z]?)(?P<amount>\d+(?:\.\d+)?)?")
_FORMULA = re.compile(r"(?:\(|(?:\)|[A-Z][a-z]?)(?:\d+(?:\.\d+)?)?)+")


def parse_formula(formula: str) -> dict[str, float]:
    """Amounts by element symbol of a formula such as `K2S`, `Ni46Sc2` or `Ba(NO3)2`.

    Raises:
        DataError: the text is not a chemical formula, is longer than 500 characters, or has an amount of 0 or of more
            than a million.
    """
    if len(formula) > LONGEST_FORMULA or not _FORMULA.fullmatch(formula):
        raise _no_formula(formula)
    levels: list[dict[str, float]] = [{}]  # the formula itself, and the brackets that are open
    for token in _TOKEN.finditer(formula):
        symbol, amount = token["symbol"], float(token["amount"] or 1)
        if symbol is None:
            levels.append({})
            continue
        inner = levels.pop() if symbol == ")" else {symbol: 1.0}
        if not inner or not levels:
            raise _no_formula(formula)
        for name, count in inner.items():
            levels[-1][name] = levels[-1].get(name, 0.0) + count * amount
    if len(levels) > 1 or not all(0 < amount <= LARGEST_AMOUNT for amount in levels[0].values()):
        raise _no_formula(formula)
    return levels[0]


def _no_formula(formula: str) -> DataError:
    return DataError(f"'{printable(formula[:60])}' is not a chemical formula of the form K2S.")


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
