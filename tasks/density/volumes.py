"""The density in three dimensions, on a regular grid of the conventional cube, synthesised from structure factors."""

from __future__ import annotations

import numpy as np
from scipy import fft

from ...benchmark.errors import DataError
from .planes import view_origin
from .structure_factors import StructureFactors


def density_volume(factors: StructureFactors, channel: str, size: int = 32, origin: str = "heaviest") -> np.ndarray:
    """One density channel at `size`^3 points of the conventional cube, end points excluded.

    The values are those of the density itself: waves that a grid of this size cannot resolve fold onto others, as they
    do in any sampling.

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
    if size < 1:
        raise DataError(f"A volume needs a positive size (got {size}).")
    edges = np.eye(3, dtype=int) if factors.cube is None else factors.cube
    waves, frequencies = factors.waves(channel, view_origin(factors, origin), edges.T)
    # Only half of the last axis is kept: a wave of the other half is the conjugate of its opposite.
    frequencies %= size
    other = frequencies[2] > size // 2
    frequencies = np.where(other, -frequencies % size, frequencies)
    waves.imag[other] *= -1
    waves[(frequencies[2] > 0) & (2 * frequencies[2] < size)] /= 2
    half = size // 2 + 1
    index = (frequencies[0] * size + frequencies[1]) * half + frequencies[2]
    spectrum = np.empty((size, size, half), dtype=complex)
    spectrum.real = np.bincount(index, waves.real, spectrum.size).reshape(spectrum.shape)
    spectrum.imag = np.bincount(index, waves.imag, spectrum.size).reshape(spectrum.shape)
    return fft.irfftn(spectrum, (size,) * 3, norm="forward").astype(np.float32)
