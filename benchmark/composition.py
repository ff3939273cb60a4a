"""Features of a chemical formula: statistics of its elements' properties."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import numpy as np

from .errors import DataError
from .formula import parse_formula

_TABLE = Path(__file__).parent / "elements.csv"
_STATISTICS = ("mean", "deviation", "minimum", "maximum", "range")


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
        raise DataError(f"'{formula}' has no known element {unknown[0]}; check the formula.")
    values = np.stack([table[symbol] for symbol in amounts])
    weights = np.array(list(amounts.values())) / sum(amounts.values())
    mean = weights @ values
    deviation = weights @ np.abs(values - mean)
    low, high = values.min(axis=0), values.max(axis=0)
    return np.concatenate([mean, deviation, low, high, high - low, [len(amounts)]])


def feature_names() -> list[str]:
    """Names of the columns of `composition_features`."""
    properties, _ = element_properties()
    return [f"{statistic} {name}" for statistic in _STATISTICS for name in properties] + ["elements"]
