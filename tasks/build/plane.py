"""The (111) plane of the conventional cubic cell, evaluated exactly from the periodic grid.

A density on a periodic grid is a trigonometric polynomial. Restricted to a lattice plane it is again one, in two
dimensions, whose coefficients are sums of the three-dimensional ones along the plane's normal. So one FFT of the
cell, one summation and two small matrix products give every point of the plane to rounding error, without a
60^3 volume in between.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy import fft

from ...benchmark.errors import DataError
from .cell import check_centring, conventional_matrix
from .volume import Volume

# In-plane directions, in units of the cube's axes: along a close-packed row, and across it.
_ACROSS = np.array([1, -1, 0]) / np.sqrt(2)
_ALONG = np.array([1, 1, -2]) / np.sqrt(6)


@dataclass(frozen=True)
class PlaneSettings:
    """Where the plane lies and which part of it is seen. The paper fixes none of these but the size.

    Attributes:
        size: points per side.
        window: side of the square window in units of the cubic lattice parameter.
        offset: distance from the origin along [111] in units of the spacing of lattice planes, a / sqrt(3).
        rotation: turn of the window about [111], degrees.
        origin: `cell` takes the origin of the cell as it was given; `heaviest` puts it on the first atom of the
            heaviest element, so that the plane does not depend on where the cell was made to begin.
    """

    size: int = 75
    window: float = 2**0.5
    offset: float = 0.0
    rotation: float = 0.0
    origin: str = "heaviest"

    def __post_init__(self) -> None:
        """Refuse what no plane has. Raises DataError."""
        numbers = (self.window, self.offset, self.rotation)
        if self.size < 1 or self.window <= 0 or not all(map(math.isfinite, numbers)):
            raise DataError("The plane needs a positive size and window, and finite offset and rotation.")
        if self.origin not in ("heaviest", "cell"):
            raise DataError(f"There is no origin '{self.origin}'; there are heaviest and cell.")

    def points(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Start point, row step and column step of the window, in fractions of the cube."""
        angle = np.deg2rad(self.rotation)
        step = self.window / self.size
        row = step * (np.cos(angle) * _ACROSS + np.sin(angle) * _ALONG)
        column = step * (np.cos(angle) * _ALONG - np.sin(angle) * _ACROSS)
        middle = (self.size - 1) / 2
        return np.full(3, self.offset / 3) - middle * (row + column), row, column


def origin_of(volume: Volume, origin: str) -> np.ndarray:
    """The point of the cell, in fractions of its vectors, that `PlaneSettings.origin` names."""
    if origin == "cell":
        return np.zeros(3)
    return volume.frac_coords[np.argmax(volume.numbers)]


def slice_plane(volume: Volume, channel: str, settings: PlaneSettings | None = None) -> np.ndarray:
    """The density of one channel on the (111) plane.

    Returns:
        Array of shape (size, size), e/A^3; rows run along [1 -1 0], columns along [1 1 -2].

    Raises:
        DataError: the cell is not cubic F-centred.
    """
    settings = settings or PlaneSettings()
    cube = conventional_matrix(volume.lattice)
    check_centring(volume, cube)
    start, row, column = (vector @ cube for vector in settings.points())
    start = start + origin_of(volume, settings.origin)
    first, second = _in_plane_basis(cube)
    coefficients, frequencies = _plane_coefficients(volume.channels[channel], start, first, second)
    # The window's steps in fractions of the plane's own two vectors.
    steps = np.linalg.lstsq(np.stack([first, second]).T, np.stack([row, column]).T, rcond=None)[0].T
    return _evaluate(coefficients, frequencies, steps, settings.size)


def _in_plane_basis(cube: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Two integer vectors of the cell that span the (111) plane, the first along [1 -1 0]."""
    first, second = cube[0] - cube[1], cube[1] - cube[2]
    if not (first % 2).any() and not (second % 2).any():
        return first // 2, second // 2
    return first, second


def _plane_coefficients(
    grid: np.ndarray, start: np.ndarray, first: np.ndarray, second: np.ndarray
) -> tuple[np.ndarray, list[np.ndarray]]:
    """Fourier coefficients of the plane through `start`, and their frequencies along its two vectors."""
    waves = _waves(grid.shape, tuple(first.tolist()), tuple(second.tolist()))
    spectrum = fft.rfftn(np.asarray(grid, dtype=np.float64), norm="forward")
    phases = [w * np.exp(2j * np.pi * k * x) for w, k, x in zip(waves.weights, waves.axes, start, strict=True)]
    # Frequency -n/2 is also n/2: the last entry of each full axis repeats it.
    spectrum = spectrum[np.ix_(waves.axes[0], waves.axes[1])]
    spectrum *= phases[0][:, None, None] * phases[1][:, None]
    spectrum *= phases[2]
    sums = np.bincount(waves.index, spectrum.view(np.float64).ravel(), 2 * waves.shape[0] * waves.shape[1])
    return sums.view(np.complex128).reshape(waves.shape), waves.frequencies


@dataclass(frozen=True)
class _Waves:
    """The plane waves of a grid, and which wave of the plane each of them becomes.

    Attributes:
        axes: signed frequencies along each cell vector; the last axis has the non-negative ones only.
        weights: how often each counts: half at both signs of an even grid's Nyquist frequency, twice where the
            last axis leaves out the complex conjugate.
        index: position in the plane's coefficients, for the real and the imaginary part of every wave.
        frequencies: of the plane's coefficients, along its two vectors.
        shape: of the plane's coefficients.
    """

    axes: list[np.ndarray]
    weights: list[np.ndarray]
    index: np.ndarray
    frequencies: list[np.ndarray]
    shape: tuple[int, int]


@lru_cache(maxsize=8)  # crystals of a dataset share a few grids
def _waves(grid: tuple[int, ...], first: tuple[int, ...], second: tuple[int, ...]) -> _Waves:
    axes, weights = [], []
    for count in grid[:2]:
        axes.append(np.arange(-(count // 2), count // 2 + 1))
        weights.append(np.where(2 * np.abs(axes[-1]) == count, 0.5, 1.0))
    axes.append(np.arange(grid[2] // 2 + 1))
    weights.append(np.where((axes[2] == 0) | (2 * axes[2] == grid[2]), 1.0, 2.0))
    k1, k2, k3 = np.ix_(*axes)
    plane = [k1 * vector[0] + k2 * vector[1] + k3 * vector[2] for vector in (first, second)]
    frequencies = [np.arange(m.min(), m.max() + 1) for m in plane]
    shape = len(frequencies[0]), len(frequencies[1])
    index = 2 * ((plane[0] - frequencies[0][0]) * shape[1] + plane[1] - frequencies[1][0])
    both = np.stack([index, index + 1], axis=-1).ravel()
    return _Waves(axes, weights, both, frequencies, shape)


def _evaluate(coefficients: np.ndarray, frequencies: list[np.ndarray], steps: np.ndarray, size: int) -> np.ndarray:
    """The real part of the plane's polynomial on the window, shape (size, size).

    Args:
        coefficients: shape (m1, m2).
        frequencies: along the plane's two vectors, shapes (m1,) and (m2,).
        steps: of rows and columns of the window, in fractions of the plane's vectors, shape (2, 2).
        size: points per side.
    """
    point = np.arange(size)
    waves = [
        [np.exp(2j * np.pi * np.multiply.outer(m, point * s)) for m, s in zip(frequencies, step, strict=True)]
        for step in steps
    ]
    (row1, row2), (column1, column2) = waves
    if abs(steps[0, 1]) < 1e-12:  # rows follow the first vector, as they do unless the window is turned
        return (row1.T @ (column1 * (coefficients @ column2))).real
    rows = (coefficients[:, :, None] * row1[:, None]) * row2
    columns = column1[:, None] * column2
    rows, columns = rows.reshape(-1, size), columns.reshape(-1, size)
    return rows.real.T @ columns.real - rows.imag.T @ columns.imag
