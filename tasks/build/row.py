"""One row of a dataset, from the density of one crystal."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pyarrow as pa

from ...benchmark.errors import DataError
from ...benchmark.formula import parse_formula
from ..splits import hashed_fold, hashed_split
from .blueprint import Blueprint, schema_of
from .cell import conventional_matrix
from .crystal import check_crystal, look_at
from .material import Material, MaterialError
from .plane import slice_plane
from .regrid import slice_regridded
from .render import RENDERING, is_noise, png, render
from .text import structure_hash, text_tiers
from .volume import Volume

# Slices are stored in steps of 1e-6 e/A^3: far below the accuracy of the densities, and coarse enough that
# rounding in the last bits of another processor does not change what is stored. A decimal step, because the
# binary fractions of a float32 grid lie half-way between binary steps, and never half-way between decimal ones.
_DECIMALS = 6


def make_row(
    material: Material, volume: Volume, blueprint: Blueprint, describe: Callable[[dict[str, Any]], str]
) -> pa.Table:
    """The row of one crystal, as a table of the dataset's schema.

    Args:
        material: the crystal.
        volume: its density.
        blueprint: how the row is made.
        describe: gives the full text for a structure (a pymatgen dict).

    Raises:
        MaterialError: the crystal is not face-centred cubic or not that of the formula, a channel is absent, or there
            is no text for it.
    """
    try:
        cells = round(4 / abs(np.linalg.det(conventional_matrix(volume.lattice))))
    except DataError as error:
        raise MaterialError("not cubic", str(error)) from error
    structure, edge = volume.structure(), float((4 * volume.cell_volume / cells) ** (1 / 3))
    found = look_at(structure)
    formula, spacegroup = material.formula or found[0], material.spacegroup or found[1]
    system = "-".join(sorted(parse_formula(formula)))
    check_crystal(volume, edge, found, formula)
    pictures = dict(_pictures(volume, blueprint))
    text, described = material.known_text or ("", "")
    description = text if described == structure_hash(structure) else describe(structure)
    row = {
        "id": material.id,
        "formula": formula,
        "chemical_system": system,
        "spacegroup": spacegroup,
        "n_sites": len(volume.numbers),
        "lattice_parameter": round(edge, 6),
        "n_electrons": round(volume.integral("total"), 4),
        "split_official": hashed_split(material.id),
        "split_grouped": hashed_split(system),
        "fold_official": hashed_fold(material.id),
        "fold_grouped": hashed_fold(system),
        **pictures,
        **{f"text_{tier}": text for tier, text in text_tiers(formula, description).items()},
        **material.properties,
    }
    return pa.Table.from_pylist([row], schema=schema_of(blueprint))


def pack(row: pa.Table) -> bytes:
    """A row as bytes that travel between processes and lie on disk."""
    buffer = io.BytesIO()
    with pa.ipc.new_stream(buffer, row.schema, options=pa.ipc.IpcWriteOptions(compression="zstd")) as writer:
        writer.write_table(row)
    return buffer.getvalue()


def unpack(packed: bytes) -> pa.Table:
    """What `pack` packed. Raises pyarrow.ArrowInvalid where it is damaged."""
    with pa.ipc.open_stream(packed) as reader:
        return reader.read_all()


def _pictures(volume: Volume, blueprint: Blueprint) -> Iterator[tuple[str, Any]]:
    size = blueprint.plane.size
    for channel in blueprint.facts.channels:
        if channel in volume.channels:
            cut = (
                slice_plane(volume, channel, blueprint.plane)
                if blueprint.regrid is None
                else slice_regridded(volume, channel, blueprint.plane, blueprint.regrid)
            )
        elif channel == "spin":  # a calculation without spin has as many electrons up as down, everywhere
            cut = np.zeros((size, size))
        else:
            raise MaterialError("no density", f"the file holds no {channel} density")
        density = np.round(cut, _DECIMALS).astype(np.float32) + np.float32(0)  # no negative zeros
        yield f"image_{channel}", {"bytes": png(render(density, RENDERING[channel])), "path": None}
        yield f"density_{channel}", density.tolist()
        yield f"is_noise_{channel}", is_noise(density)
