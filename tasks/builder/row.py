"""Make one row of a dataset from the density of one crystal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pyarrow as pa

from ...benchmark.errors import DataError
from ..composition import parse_formula
from ..datasets.crystals import text_tiers
from ..splits import hashed_fold, hashed_split
from .blueprint import Blueprint, row_schema
from .crystal import Crystal, CrystalError, analyze_symmetry, check_crystal
from .densities import Volume
from .descriptions import structure_hash
from .pictures import RENDERING, encode_png, is_noise, render
from .slices import slice_plane, slice_regridded

# Slices are stored in steps of 1e-6 e/A^3: far finer than the accuracy of the densities, and coarse enough that the
# last bits, which differ between processors, do not change what is stored. The step is decimal because values of a
# float32 grid are binary fractions, which can lie half-way between binary steps but never between decimal ones.
_DECIMALS = 6


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
        CrystalError: the crystal is not face-centred cubic or has another formula, a channel is missing, or it cannot
            be described.
    """
    try:
        primitive_cells = round(4 / abs(np.linalg.det(volume.cube_matrix)))
    except DataError as error:
        raise CrystalError("not cubic", str(error)) from error
    edge = float((4 * volume.cell_volume / primitive_cells) ** (1 / 3))
    symmetry = analyze_symmetry(volume.structure)
    formula, spacegroup = crystal.formula or symmetry.formula, crystal.spacegroup or symmetry.spacegroup
    system = "-".join(sorted(parse_formula(formula)))
    check_crystal(volume, edge, symmetry, formula)
    slices = dict(_slice_columns(volume, blueprint))
    description = _description(crystal, volume.structure.as_dict(), describe)
    row = {
        "id": crystal.id,
        "formula": formula,
        "chemical_system": system,
        "spacegroup": spacegroup,
        "n_sites": len(volume.numbers),
        "lattice_parameter": round(edge, 6),
        "n_electrons": round(volume.integral("total"), 4),
        "split_official": hashed_split(crystal.id),
        "split_grouped": hashed_split(system),
        "fold_official": hashed_fold(crystal.id),
        "fold_grouped": hashed_fold(system),
        **slices,
        **{f"text_{tier}": text for tier, text in text_tiers(formula, description).items()},
        **crystal.properties,
    }
    return pa.Table.from_pylist([row], schema=row_schema(blueprint.facts.columns))


def _description(crystal: Crystal, structure: dict[str, Any], describe: Callable[[dict[str, Any]], str]) -> str:
    """The text that is known already, if it describes this very structure, else a new one."""
    text, described = crystal.known_text or ("", "")
    return text if described == structure_hash(structure) else describe(structure)


def _slice_columns(volume: Volume, blueprint: Blueprint) -> Iterator[tuple[str, Any]]:
    size = blueprint.plane.size
    for channel in blueprint.facts.channels:
        if channel in volume.channels:
            values = (
                slice_plane(volume, channel, blueprint.plane)
                if blueprint.regrid is None
                else slice_regridded(volume, channel, blueprint.plane, blueprint.regrid)
            )
        elif channel == "spin":  # without spin polarisation, spin up equals spin down everywhere
            values = np.zeros((size, size))
        else:
            raise CrystalError("no density", f"the file holds no {channel} density")
        density = np.round(values, _DECIMALS).astype(np.float32) + np.float32(0)  # no negative zeros
        yield f"image_{channel}", {"bytes": encode_png(render(density, RENDERING[channel])), "path": None}
        yield f"density_{channel}", density.tolist()
        yield f"is_noise_{channel}", is_noise(density)
