"""The paper's route to a slice: the conventional cube on a 60^3 grid, then a plane of that."""

from __future__ import annotations

import math

import numpy as np
from scipy import ndimage, signal

from .cell import conventional_matrix
from .plane import PlaneSettings, origin_of
from .volume import Volume


def regrid(volume: Volume, size: int = 60) -> Volume:
    """Sample a density on `size`^3 points of the conventional cubic cell.

    Each axis of the input grid is refined trigonometrically to a multiple of `size`; the cube's grid points are
    then points of that grid, so nothing is interpolated.

    Raises:
        DataError: the cell is not cubic F-centred.
    """
    matrix = conventional_matrix(volume.lattice)
    points = np.stack(np.meshgrid(*[np.arange(size)] * 3, indexing="ij"), axis=-1) @ matrix
    channels = {}
    for name, grid in volume.channels.items():
        fine = np.asarray(grid, dtype=np.float64)
        for axis, count in enumerate(grid.shape):
            fine = signal.resample(fine, size * math.ceil(count / size), axis=axis)
        index = points * (np.array(fine.shape) // size) % fine.shape
        channels[name] = fine[tuple(np.moveaxis(index, -1, 0))]
    frac_coords = volume.frac_coords @ np.linalg.inv(matrix)
    return Volume(matrix @ volume.lattice, frac_coords, volume.numbers, channels, volume.meta)


def slice_regridded(volume: Volume, channel: str, settings: PlaneSettings | None = None, size: int = 60) -> np.ndarray:
    """The (111) plane by the paper's route: `regrid`, then cubic splines on the cube's grid.

    Returns:
        Array of shape (settings.size, settings.size), e/A^3, as `slice_plane` gives it.
    """
    settings = settings or PlaneSettings()
    one = Volume(volume.lattice, volume.frac_coords, volume.numbers, {channel: volume.channels[channel]}, {})
    cube = regrid(one, size)
    start, row, column = settings.points()
    count = np.arange(settings.size)[:, None, None]
    points = start + origin_of(cube, settings.origin) + count * row + count.transpose(1, 0, 2) * column
    return ndimage.map_coordinates(cube.channels[channel], np.moveaxis(points * size, -1, 0), order=3, mode="grid-wrap")
