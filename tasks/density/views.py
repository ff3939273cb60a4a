"""What predictors see of a density: a plane as numbers and as a picture, and a volume, from the cells of a dataset.

The settings of a view never change under its name, since entries that used it could not be compared any more.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Mapping
from typing import Any

import numpy as np

from .pictures import RENDERING, encode_png, render
from .planes import slice_plane
from .structure_factors import PROMOLECULE, StructureFactors
from .volumes import density_volume

PLANE_SIZE, VOLUME_SIZE = 75, 32
_PREFIX = "structure_factors_"
_GEOMETRY = ("structure", "symmetry", "reflections")
# Densities are given in steps of 1e-6 e/A^3: far finer than their accuracy, and coarse enough that the last bits, which
# differ between processors, do not change them.
_DECIMALS = 6
# Planes and pictures that stay in memory, some 30 kB each: folds and seeds ask for the same rows again.
_KEPT = 2048
_views: dict[bytes, Any] = {}


def view_columns(columns: Collection[str], channel: str, in_plane: bool) -> tuple[str, ...]:
    """The columns of a dataset that a view of a channel is made from; empty where the dataset lacks one.

    Args:
        columns: names of the dataset's columns.
        channel: of the density.
        in_plane: whether the view is a plane, which only cubic F-centred crystals have.
    """
    stored = ("total", "deformation") if channel == PROMOLECULE else (channel,)
    needed = (*_GEOMETRY, *(f"{_PREFIX}{name}" for name in stored))
    if "cube" in columns:
        needed = (*needed, "cube")
    elif in_plane:
        return ()
    return needed if set(needed) <= set(columns) else ()


def view_channels(columns: Collection[str]) -> list[str]:
    """The channels that can be viewed, in the order of the columns; superposed atoms last."""
    stored = [name.removeprefix(_PREFIX) for name in columns if name.startswith(_PREFIX)]
    return [*stored, *([PROMOLECULE] if {"total", "deformation"} <= set(stored) else [])]


def plane_of(cells: Mapping[str, Any]) -> np.ndarray:
    """The (111) plane through an atom of the heaviest element, shape (75, 75), e/A^3, float32."""
    return _remembered("plane", cells, lambda: _plane(cells))


def picture_of(cells: Mapping[str, Any]) -> bytes:
    """The same plane as a PNG, on the colour scale that all crystals share."""
    return _remembered("picture", cells, lambda: encode_png(render(plane_of(cells), RENDERING[_channel(cells)])))


def volume_of(cells: Mapping[str, Any]) -> np.ndarray:
    """The conventional cube, or the cell of a crystal that has none, shape (32, 32, 32), e/A^3, float32."""
    values = density_volume(StructureFactors.from_cells(cells), _channel(cells), VOLUME_SIZE)
    return _rounded(values)


def _remembered(view: str, cells: Mapping[str, Any], make: Callable[[], Any]) -> Any:
    """A view, made once for the same content; the results that stay in memory do not hold the cells."""
    digest = hashlib.blake2b(view.encode(), digest_size=16)
    for name in sorted(cells):
        cell = cells[name]
        digest.update(name.encode() + b"\0" + (cell.encode() if isinstance(cell, str) else cell.tobytes()) + b"\0")
    key = digest.digest()
    if key not in _views:
        if len(_views) >= _KEPT:
            _views.pop(next(iter(_views)), None)  # the oldest
        _views[key] = make()
    return _views[key]


def _plane(cells: Mapping[str, Any]) -> np.ndarray:
    values = _rounded(slice_plane(StructureFactors.from_cells(cells), _channel(cells)))
    values.setflags(write=False)
    return values


def _channel(cells: Mapping[str, Any]) -> str:
    stored = [name.removeprefix(_PREFIX) for name in cells if name.startswith(_PREFIX)]
    return stored[0] if len(stored) == 1 else PROMOLECULE


def _rounded(values: np.ndarray) -> np.ndarray:
    return np.round(values.astype(float), _DECIMALS).astype(np.float32) + np.float32(0)  # no negative zeros
