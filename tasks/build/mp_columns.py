"""The 25 property columns of the Materials Project that arXiv 2401.09301 lists in its Table 11.

They keep the paper's names. Its `k_*` and `g_*` are `bulk_modulus` and `shear_modulus` in today's schema.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from .blueprint import Column

COLUMNS = {
    "nsites": Column("int", "atoms in the cell"),
    "nelements": Column("int", "different elements"),
    "volume": Column("float", "volume of the cell, A^3"),
    "density": Column("float", "mass density, g/cm^3"),
    "density_atomic": Column("float", "volume per atom, A^3"),
    "uncorrected_energy_per_atom": Column("float", "total energy as computed, eV/atom"),
    "energy_per_atom": Column("float", "total energy with corrections, eV/atom"),
    "formation_energy_per_atom": Column("float", "formation energy from the elements, eV/atom"),
    "energy_above_hull": Column("float", "energy above the convex hull, eV/atom; 0 for a stable crystal"),
    "equilibrium_reaction_energy_per_atom": Column("float", "reaction energy from neighbours on the hull, eV/atom"),
    "band_gap": Column("float", "band gap, eV; 0 for a metal"),
    "efermi": Column("float", "Fermi energy, eV"),
    "total_magnetization": Column("float", "total magnetic moment, muB per cell"),
    "total_magnetization_normalized_vol": Column("float", "magnetic moment per volume, muB/A^3"),
    "total_magnetization_normalized_formula_units": Column("float", "magnetic moment, muB per formula unit"),
    "num_magnetic_sites": Column("int", "atoms with a magnetic moment"),
    "num_unique_magnetic_sites": Column("int", "inequivalent atoms with a magnetic moment"),
    "k_voigt": Column("float", "bulk modulus, Voigt average, GPa"),
    "k_reuss": Column("float", "bulk modulus, Reuss average, GPa"),
    "k_vrh": Column("float", "bulk modulus, Voigt-Reuss-Hill average, GPa"),
    "g_voigt": Column("float", "shear modulus, Voigt average, GPa"),
    "g_reuss": Column("float", "shear modulus, Reuss average, GPa"),
    "g_vrh": Column("float", "shear modulus, Voigt-Reuss-Hill average, GPa"),
    "universal_anisotropy": Column("float", "universal elastic anisotropy"),
    "homogeneous_poisson": Column("float", "Poisson ratio"),
}
_NESTED = {
    f"{letter}_{average}": (field, average)
    for letter, field in (("k", "bulk_modulus"), ("g", "shear_modulus"))
    for average in ("voigt", "reuss", "vrh")
}
# What is asked of the server for each crystal.
FIELDS = [
    "material_id",
    "formula_pretty",
    "symmetry",
    "bulk_modulus",
    "shear_modulus",
    *(name for name in COLUMNS if name not in _NESTED),
]


def flatten(document: Mapping[str, Any]) -> dict[str, float | int | None]:
    """The 25 values of a summary document under the paper's names; None for an unknown one."""
    return {name: _number(_field(document, name), column.kind) for name, column in COLUMNS.items()}


def _field(document: Mapping[str, Any], name: str) -> Any:
    if name not in _NESTED:
        return document.get(name)
    field, average = _NESTED[name]
    return (document.get(field) or {}).get(average)


def _number(value: Any, kind: str) -> float | int | None:
    if value is None or not math.isfinite(float(value)):
        return None
    return int(value) if kind == "int" else float(value)
