"""The density in three dimensions, on a regular grid, synthesised from structure factors."""

from __future__ import annotations

import numpy as np
from scipy import fft

from .planes import check_size, view_origin
from .structure_factors import StructureFactors, fold

_LARGEST_SIZE = 512


def density_volume(factors: StructureFactors, channel: str, size: int = 32, origin: str = "heaviest") -> np.ndarray:
    """One density channel at `size`^3 points of the conventional cube, end points excluded.

    Args:
        factors: of the crystal; of one that is not cubic F-centred, the given cell takes the place of the cube.
        channel: one that it holds, or `promolecule`.
        size: points per axis.
        origin: as in `PlaneSettings`.

    Returns:
        Array of shape (size, size, size), float32, e/A^3.

    Raises:
        DataError: there is no such channel, or the size is not positive.
    """
    check_size(size, _LARGEST_SIZE)
    values = density_grid(factors, channel, (size,) * 3, factors.cube, view_origin(factors, origin))
    return values.astype(np.float32)


def density_grid(
    factors: StructureFactors,
    channel: str,
    shape: tuple[int, ...],
    edges: np.ndarray | None = None,
    start: np.ndarray | None = None,
) -> np.ndarray:
    """One density channel on a grid of a cell, end points excluded.

    The values are those of the density itself: waves that a grid of this size cannot resolve fold onto others, as they
    do in any sampling.

    Args:
        factors: of the crystal.
        channel: one that it holds, or `promolecule`.
        shape: points per axis, (n1, n2, n3).
        edges: integer matrix whose rows are the cell's edges in units of the cell vectors; those themselves by default.
        start: the first point, in fractions of the cell; the origin by default.

    Returns:
        Array of the given shape, e/A^3.

    Raises:
        DataError: there is no such channel.
    """
    edges = np.eye(3, dtype=int) if edges is None else edges
    waves, frequencies = factors.waves(channel, np.zeros(3) if start is None else start, edges.T)
    sizes = np.array(shape)[:, None]
    frequencies %= sizes
    # Only half of the last axis is kept: a wave of the other half is the conjugate of its opposite.
    half = shape[2] // 2 + 1
    other = frequencies[2] >= half
    frequencies = np.where(other, -frequencies % sizes, frequencies)
    waves.imag[other] *= -1
    waves[(frequencies[2] > 0) & (2 * frequencies[2] < shape[2])] /= 2
    index = (frequencies[0] * shape[1] + frequencies[1]) * half + frequencies[2]
    spectrum = fold(waves, index, shape[0] * shape[1] * half).reshape(shape[0], shape[1], half)
    return fft.irfftn(spectrum, shape, norm="forward")
