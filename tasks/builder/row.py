"""Make one row of a dataset from the density of one crystal."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa

from ..composition import parse_formula
from ..datasets.arrow import row_schema
from ..datasets.crystals import text_tiers
from ..density.pictures import is_noise
from ..density.views import plane_of, view_columns, volume_of
from ..splits import hashed_fold, hashed_split
from .blueprint import Blueprint
from .crystal import Crystal, CrystalError, analyze_symmetry, check_composition, check_cubic, check_density
from .densities import Volume
from .descriptions import structure_hash
from .reduction import reduce_density

# Digits of an error that are stored: the others depend on the processor.
_ERROR_DIGITS = 2


def make_row(
    crystal: Crystal, volume: Volume, blueprint: Blueprint, describe: Callable[[dict[str, Any]], str]
) -> pa.Table:
    """Make the row of one crystal, as a table of the dataset's schema.

    Args:
        crystal: what is known of it.
        volume: its density.
        blueprint: how rows are made.
        describe: returns the full text for a pymatgen structure dict.

    Raises:
        CrystalError: the density is broken or lacks a channel, or the crystal is not face-centred cubic where only such
            crystals are taken, has another formula, or cannot be described.
    """
    check_density(volume)
    symmetry = analyze_symmetry(volume.structure)
    formula, spacegroup = crystal.formula or symmetry.formula, crystal.spacegroup or symmetry.spacegroup
    system = "-".join(sorted(parse_formula(formula)))
    if blueprint.is_cubic:
        check_cubic(volume, symmetry)
    check_composition(volume, symmetry, formula)
    description = _description(crystal, volume.structure.as_dict(), describe)
    row = {
        "id": crystal.id,
        "formula": formula,
        "chemical_system": system,
        "spacegroup": spacegroup,
        "n_sites": len(volume.numbers),
        "cell_volume": round(volume.cell_volume, 6),
        "n_electrons": round(volume.integral("total"), 4),
        "split_official": hashed_split(crystal.id),
        "split_grouped": hashed_split(system),
        "fold_official": hashed_fold(crystal.id),
        "fold_grouped": hashed_fold(system),
        **_density_cells(volume, blueprint),
        **{f"text_{tier}": text for tier, text in text_tiers(formula, description).items()},
        **crystal.properties,
    }
    return pa.Table.from_pylist([row], schema=row_schema(blueprint.facts.columns))


def _description(crystal: Crystal, structure: dict[str, Any], describe: Callable[[dict[str, Any]], str]) -> str:
    """The text that is known already, if it describes this very structure, else a new one."""
    text, described = crystal.known_text or ("", "")
    return text if described == structure_hash(structure) else describe(structure)


def _density_cells(volume: Volume, blueprint: Blueprint) -> dict[str, Any]:
    channels = {}
    for channel in blueprint.density_channels:
        if channel in volume.channels:
            channels[channel] = volume.channels[channel]
        elif channel == "spin" and volume.spin_unknown:
            raise CrystalError("no density", f"{volume.spin_unknown}; ask for the channel total alone")
        elif channel == "spin":  # without spin polarisation, spin up equals spin down everywhere
            channels[channel] = np.zeros_like(volume.channels["total"])
        else:
            raise CrystalError("no density", f"the file holds no {channel} density")
    reduction = reduce_density(replace(volume, channels=channels))
    cube = volume.cube_matrix if blueprint.is_cubic else None
    factors = replace(reduction.factors, cube=cube)
    cells = factors.to_cells()
    return {
        **{name: cell if isinstance(cell, str) else cell.tolist() for name, cell in cells.items()},
        "resolution": factors.resolution,
        "is_accurate": reduction.is_accurate,
        **{f"is_noise_{channel}": _is_noise(cells, channel, blueprint.is_cubic) for channel in channels},
        **{f"error_{channel}": float(f"{error:.{_ERROR_DIGITS - 1}e}") for channel, error in reduction.error.items()},
    }


def _is_noise(cells: Mapping[str, Any], channel: str, is_cubic: bool) -> bool:
    """Whether the plane of a channel, or the volume of a crystal that has no such plane, is noise throughout."""
    seen = {name: cells[name] for name in view_columns(list(cells), channel, in_plane=is_cubic)}
    return is_noise(plane_of(seen) if is_cubic else volume_of(seen))
