"""Build the dataset `ecd-fcc` from its raw folder: densities, structures and a property table."""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ...benchmark.errors import DataError
from ..splits import hashed_fold, hashed_split
from .plane import PlaneSettings, slice_plane
from .regrid import slice_regridded
from .render import RENDERING, is_noise, png, render
from .text import read_structures, text_tiers, update_descriptions
from .volume import CHANNELS, Volume, read_volume
from .write import write_dataset

# Slices are stored in steps of 1e-6 e/A^3: far below the accuracy of the densities, and coarse enough that
# rounding in the last bits of another processor does not change what is stored. A decimal step, because the
# binary fractions of a float32 grid lie half-way between binary steps, and never half-way between decimal ones.
_DECIMALS = 6
# The densities integrate to the number of valence electrons; a larger gap means a damaged file.
_ELECTRON_TOLERANCE = 1e-3

_ID = re.compile(r"[A-Za-z0-9-]+")

# Column of the property table: column of the dataset. Empty cells are unknown values.
_NUMBERS = {
    "k_vrh": "k_vrh",
    "formation_energy_per_atom": "formation_energy_per_atom",
    "band_gap_pbe": "band_gap",
    "band_gap_mp": "band_gap_mp",
    "total_magnetization": "total_magnetization",
    "g_vrh": "g_vrh",
    "poisson_ratio": "poisson_ratio",
    "e_above_hull": "e_above_hull",
    "fermi_energy": "fermi_energy",
    "energy_rel_atoms": "energy_rel_atoms",
}
_SOURCES = {
    "k_vrh_source": "k_vrh_source",
    "formation_energy_source": "formation_energy_per_atom_source",
    "band_gap_mp_source": "band_gap_mp_source",
}


def build(raw: Path, out: Path, plane: PlaneSettings, regrid: int | None, progress: Callable[[int, int], None]) -> None:
    """Build the dataset folder `out` from the raw folder `raw`.

    Args:
        raw: holds `densities/*.npz`, `structures.json.gz` and `properties.csv`.
        out: the dataset folder; descriptions already stored there are used again.
        plane: which plane is cut.
        regrid: go through this many points per cube axis (the paper's route) instead of straight to the plane.
        progress: called with the number of crystals done and in all.

    Raises:
        DataError: the raw folder is incomplete or a density is damaged.
    """
    for name in ("densities", "structures.json.gz", "properties.csv"):
        if not (raw / name).exists():
            raise DataError(f"{raw} holds no {name}; give the raw folder of ecd-fcc.")
    properties = _read_properties(raw / "properties.csv")
    descriptions = update_descriptions(raw / "structures.json.gz", out / "descriptions.json")
    sites = {material: len(s["sites"]) for material, s in read_structures(raw / "structures.json.gz").items()}
    rows = []
    for material in sorted(properties):
        volume = read_volume(raw / "densities" / f"{material}.npz")
        _check_electrons(material, volume)
        if material not in descriptions:
            raise DataError(f"structures.json.gz has no structure for {material}; complete the raw folder.")
        rows.append(
            {
                **_identity(material, properties[material], volume, sites[material]),
                **dict(_pictures(volume, plane, regrid)),
                **{
                    f"text_{k}": v
                    for k, v in text_tiers(properties[material]["formula"], descriptions[material]).items()
                },
                **_values(properties[material]),
            }
        )
        progress(len(rows), len(properties))
    write_dataset(out, rows, plane, regrid)


def _read_properties(path: Path) -> dict[str, dict[str, str]]:
    try:
        with path.open(newline="", encoding="utf-8") as file:
            records = list(csv.DictReader(file))
    except (UnicodeError, csv.Error) as error:
        raise DataError(f"{path} is no csv table; give the property table of ecd-fcc.") from error
    needed = {"material_id", "formula", "spacegroup", *_NUMBERS, *_SOURCES}
    if not records or (absent := needed - set(records[0])):
        what = f"lacks the columns {', '.join(sorted(absent))}" if records else "is empty"
        raise DataError(f"{path} {what}; give the property table of ecd-fcc.")
    properties = {record["material_id"]: record for record in records}
    if len(properties) < len(records):
        raise DataError(f"{path} has a material more than once; keep one row per material_id.")
    for material in properties:
        if not properties[material]["spacegroup"].isdigit():
            raise DataError(f"{path}: the space group of {material} is no number.")
        if not _ID.fullmatch(material):
            raise DataError(f"{path} has the id '{material}'; ids are letters, digits and hyphens.")
    return properties


def _check_electrons(material: str, volume: Volume) -> None:
    expected, found = volume.meta["n_electrons"], volume.integral("total")
    if abs(expected - found) > _ELECTRON_TOLERANCE:
        raise DataError(
            f"the density of {material} integrates to {found:.4f} electrons, not {expected:.4f}; "
            "the file is damaged: copy it again."
        )


def _identity(material: str, record: dict[str, str], volume: Volume, sites: int) -> dict[str, Any]:
    system = "-".join(sorted(_element_symbols(record["formula"])))
    return {
        "id": material,
        "formula": record["formula"],
        "chemical_system": system,
        "spacegroup": int(record["spacegroup"]),
        "n_sites": sites,
        "lattice_parameter": round(float((4 * volume.cell_volume / _cells(volume)) ** (1 / 3)), 6),
        "n_electrons": round(volume.integral("total"), 4),
        "split_official": hashed_split(material),
        "split_grouped": hashed_split(system),
        "fold_official": hashed_fold(material),
        "fold_grouped": hashed_fold(system),
    }


def _cells(volume: Volume) -> int:
    """Primitive cells in the cell of the volume: 1, or 4 for the conventional cube."""
    from .cell import conventional_matrix

    return round(4 / abs(np.linalg.det(conventional_matrix(volume.lattice))))


def _element_symbols(formula: str) -> list[str]:
    from ...benchmark.formula import parse_formula

    return list(parse_formula(formula))


def _pictures(volume: Volume, plane: PlaneSettings, regrid: int | None) -> Iterator[tuple[str, Any]]:
    for channel in CHANNELS:
        if regrid is None:
            density = slice_plane(volume, channel, plane)
        else:
            density = slice_regridded(volume, channel, plane, regrid)
        density = np.round(density, _DECIMALS).astype(np.float32) + np.float32(0)  # no negative zeros
        yield f"image_{channel}", png(render(density, RENDERING[channel]))
        yield f"density_{channel}", density
        yield f"is_noise_{channel}", is_noise(density)


def _values(record: dict[str, str]) -> dict[str, Any]:
    try:
        numbers = {ours: float(record[theirs]) if record[theirs] else None for theirs, ours in _NUMBERS.items()}
    except ValueError as error:
        raise DataError(
            f"properties.csv: {record['material_id']} has a value that is not a number ({error})."
        ) from error
    if any(value is not None and not math.isfinite(value) for value in numbers.values()):
        raise DataError(
            f"properties.csv: a value of {record['material_id']} is not a number; leave unknown values empty."
        )
    return numbers | {ours: record[theirs] or None for theirs, ours in _SOURCES.items()}
