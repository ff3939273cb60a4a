"""Which alloy an `sfe` image shows, from the upstream `Name` column.

Ternary and quaternary alloys are named by their elements. The doped series are named by their d row only; there
the dopant is inferred from the position in the row (Sc to Zn, Y to Cd, Ta to Hg), and marked as inferred.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from ...benchmark.errors import DataError

_ROWS = {
    "3d": ["Sc", "Ti", "V", "Cr", "Mn", "Fe", "Co", "Ni", "Cu", "Zn"],
    "4d": ["Y", "Zr", "Nb", "Mo", "Tc", "Ru", "Rh", "Pd", "Ag", "Cd"],
    "5d": ["Ta", "W", "Re", "Os", "Ir", "Pt", "Au", "Hg"],
}
_SERIES = re.compile(r"Ni-(?P<row>[345]d)_(?P<kind>single|double_doped_same)(?:_(?P<configuration>near|far))?")
_NAMED = re.compile(r"Ni-(?P<dopants>[A-Z][a-z]?(?:-[A-Z][a-z]?)*)[-_](?P<configuration>near|far|\w+)")
# Upstream states no cell size. The host fills a nominal cell, so amounts say which alloy has more dopant, no more.
_NOMINAL_SITES = 48


@dataclass(frozen=True)
class Alloy:
    """An alloy of nickel.

    Attributes:
        dopants: one element per substituted atom; Ni itself where the series passes through nickel.
        inferred: whether the dopants come from the order of the series rather than from the name.
        configuration: `near`, `far`, `1st` to `8th`, or `single`.
    """

    dopants: tuple[str, ...]
    inferred: bool
    configuration: str

    @property
    def formula(self) -> str:
        """Formula on a nominal cell of 48 sites, as in `Ni46CoY`."""
        foreign = [dopant for dopant in self.dopants if dopant != "Ni"]
        counts = {element: foreign.count(element) for element in dict.fromkeys(foreign)}
        return f"Ni{_NOMINAL_SITES - len(foreign)}" + "".join(f"{e}{n if n > 1 else ''}" for e, n in counts.items())

    @property
    def group(self) -> str:
        """The set of dopants: the same for the near and far configuration and for one and two atoms."""
        return "-".join(sorted(set(self.dopants)))


def read_alloys(names: Sequence[str]) -> list[Alloy]:
    """The alloy of each row, from the whole `Name` column in its order.

    Raises:
        DataError: a name follows neither pattern, or a series is longer than its d row.
    """
    position: dict[str, int] = {}
    alloys = []
    for name in names:
        if series := _SERIES.fullmatch(name):
            index = position[name] = position.get(name, -1) + 1
            row = _ROWS[series["row"]]
            if index >= len(row):
                raise DataError(f"The series '{name}' has more rows than its d row has elements; use the pinned file.")
            atoms = 1 if series["kind"] == "single" else 2
            alloys.append(Alloy((row[index],) * atoms, True, series["configuration"] or "single"))
        elif named := _NAMED.fullmatch(name):
            configuration = named["configuration"].removesuffix("_config")
            alloys.append(Alloy(tuple(named["dopants"].split("-")), False, configuration))
        else:
            raise DataError(f"The alloy name '{name}' is not of a known form; use the pinned spreadsheet.")
    return alloys
