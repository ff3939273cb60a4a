"""Cut the (111) plane of the conventional cubic cell out of a periodic density.

The direct route, `slice_plane`, is exact. A density on a periodic grid is a trigonometric polynomial; restricted to a
lattice plane it is again one, in two dimensions, whose coefficients are sums of the three-dimensional ones along the
plane's normal. So one FFT of the cell, one summation and two small matrix products give every point of the plane to
rounding error, without a 60^3 volume in between. `slice_regridded` takes the paper's detour through such a volume.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy import fft, ndimage, signal

from ...benchmark.errors import DataError
from .densities import Volume

# In-plane directions, in units of the cube's axes: along a close-packed row, and perpendicular to it.
_ACROSS = np.array([1, -1, 0]) / np.sqrt(2)
_ALONG = np.array([1, 1, -2]) / np.sqrt(6)
_ORIGINS = ("heaviest", "cell")


@dataclass(frozen=True)
class PlaneSettings:
    """Where the plane lies and which window of it is sampled. Of these, the paper states only the size.

    Attributes:
        size: points per side.
        window: side of the square window, in units of the cubic lattice parameter.
        offset: distance from the origin along [111], in units of the lattice-plane spacing a / sqrt(3).
        rotation: of the window about [111], degrees.
        origin: `cell` keeps the origin of the given cell; `heaviest` moves it to the first atom of the heaviest
            element, so that the plane does not depend on the choice of the cell's origin.

    Raises:
        DataError: no such plane exists.
    """

    size: int = 75
    window: float = 2**0.5
    offset: float = 0.0
    rotation: float = 0.0
    origin: str = "heaviest"

    def __post_init__(self) -> None:
        """Validate the settings."""
        numbers = (self.window, self.offset, self.rotation)
        if self.size < 1 or self.window <= 0 or not all(map(math.isfinite, numbers)):
            raise DataError("The plane needs a positive size and window, and a finite offset and rotation.")
        if self.origin not in _ORIGINS:
            raise DataError(f"There is no origin '{self.origin}'; choose {' or '.join(_ORIGINS)}.")

    def points(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Start point, row step and column step of the window, in fractional coordinates of the cube."""
        angle = np.deg2rad(self.rotation)
        step = self.window / self.size
        row = step * (np.cos(angle) * _ACROSS + np.sin(angle) * _ALONG)
        column = step * (np.cos(angle) * _ALONG - np.sin(angle) * _ACROSS)
        middle = (self.size - 1) / 2
        return np.full(3, self.offset / 3) - middle * (row + column), row, column


def plane_origin(volume: Volume, origin: str) -> np.ndarray:
    """The point that `PlaneSettings.origin` names, in fractional coordinates of the cell, shape (3,)."""
    if origin == "cell":
        return np.zeros(3)
    return volume.frac_coords[np.argmax(volume.numbers)]


def slice_plane(volume: Volume, channel: str, settings: PlaneSettings | None = None) -> np.ndarray:
    """One density channel on the (111) plane, by exact trigonometric interpolation.

    Returns:
        Array of shape (size, size), e/A^3; rows run along [1 -1 0], columns along [1 1 -2].

    Raises:
        DataError: the cell is not cubic F-centred.
    """
    settings = settings or PlaneSettings()
    cube = volume.cube_matrix
    _check_centring(volume)
    start, row, column = (vector @ cube for vector in settings.points())
    start = start + plane_origin(volume, settings.origin)
    first, second = _in_plane_basis(cube)
    coefficients, frequencies = _plane_coefficients(volume.channels[channel], start, first, second)
    # The window's steps in units of the plane's own two vectors.
    steps = np.linalg.lstsq(np.stack([first, second]).T, np.stack([row, column]).T, rcond=None)[0].T
    return _evaluate(coefficients, frequencies, steps, settings.size)


def slice_regridded(volume: Volume, channel: str, settings: PlaneSettings | None = None, size: int = 60) -> np.ndarray:
    """One density channel on the (111) plane by the paper's route: `regrid`, then cubic splines on the cube's grid.

    Returns:
        Array of shape (settings.size, settings.size), e/A^3, oriented as by `slice_plane`.

    Raises:
        DataError: the cell is not cubic F-centred.
    """
    settings = settings or PlaneSettings()
    cube = regrid(volume, size, [channel])
    start, row, column = settings.points()
    count = np.arange(settings.size)[:, None, None]
    points = start + plane_origin(cube, settings.origin) + count * row + count.transpose(1, 0, 2) * column
    return ndimage.map_coordinates(cube.channels[channel], np.moveaxis(points * size, -1, 0), order=3, mode="grid-wrap")


def regrid(volume: Volume, size: int = 60, channels: Sequence[str] | None = None) -> Volume:
    """Sample a density on `size`^3 points of the conventional cubic cell.

    Each axis of the input grid is refined trigonometrically to a multiple of `size`; the grid points of the cube then
    coincide with points of the refined grid, so nothing is interpolated.

    Args:
        volume: the density.
        size: points per axis of the cube.
        channels: which channels; all by default.

    Raises:
        DataError: the cell is not cubic F-centred.
    """
    matrix = volume.cube_matrix
    points = np.stack(np.meshgrid(*[np.arange(size)] * 3, indexing="ij"), axis=-1) @ matrix
    sampled = {}
    for name in volume.channels if channels is None else channels:
        fine = np.asarray(volume.channels[name], dtype=np.float64)
        for axis, count in enumerate(fine.shape):
            fine = signal.resample(fine, size * math.ceil(count / size), axis=axis)
        index = points * (np.array(fine.shape) // size) % fine.shape
        sampled[name] = fine[tuple(np.moveaxis(index, -1, 0))]
    frac_coords = volume.frac_coords @ np.linalg.inv(matrix)
    return Volume(matrix @ volume.lattice, frac_coords, volume.numbers, sampled, volume.meta)


def _check_centring(volume: Volume) -> None:
    """Reject a cubic cell that is its own conventional cube but whose density is not F-centred.

    Raises:
        DataError: translation by half a face diagonal changes the density.
    """
    grid = next(iter(volume.channels.values()))
    if abs(round(np.linalg.det(volume.cube_matrix))) != 1 or any(count % 2 for count in grid.shape):
        return
    for face in ((0, 1), (1, 2)):
        shifted = np.roll(grid, [grid.shape[axis] // 2 for axis in face], axis=face)
        if np.abs(shifted - grid).max() > 0.05 * np.ptp(grid):
            raise DataError("the cell is cubic but not F-centred; give a face-centred-cubic crystal.")


def _in_plane_basis(cube: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Two integer vectors that span the (111) plane in units of the cell vectors, the first along [1 -1 0]."""
    first, second = cube[0] - cube[1], cube[1] - cube[2]
    if not (first % 2).any() and not (second % 2).any():
        return first // 2, second // 2
    return first, second


def _plane_coefficients(
    grid: np.ndarray, start: np.ndarray, first: np.ndarray, second: np.ndarray
) -> tuple[np.ndarray, list[np.ndarray]]:
    """Fourier coefficients of the density on the plane through `start`, and their frequencies along its two vectors."""
    waves = _waves(grid.shape, tuple(first.tolist()), tuple(second.tolist()))
    spectrum = fft.rfftn(np.asarray(grid, dtype=np.float64), norm="forward")
    phases = [w * np.exp(2j * np.pi * k * x) for w, k, x in zip(waves.weights, waves.axes, start, strict=True)]
    # Frequencies -n/2 and n/2 are one: the last entry of each full axis repeats it.
    spectrum = spectrum[np.ix_(waves.axes[0], waves.axes[1])]
    spectrum *= phases[0][:, None, None] * phases[1][:, None]
    spectrum *= phases[2]
    sums = np.bincount(waves.index, spectrum.view(np.float64).ravel(), 2 * waves.shape[0] * waves.shape[1])
    return sums.view(np.complex128).reshape(waves.shape), waves.frequencies


@dataclass(frozen=True)
class _Waves:
    """The plane waves of a grid, and the wave of the plane that each of them projects to.

    Attributes:
        axes: signed frequencies along each cell vector; non-negative ones only along the last.
        weights: of each frequency: one half at both signs of an even grid's Nyquist frequency, two where the last axis
            omits the complex conjugate.
        index: position in the plane's coefficients, for the real and imaginary part of every wave.
        frequencies: of the plane's coefficients, along its two vectors.
        shape: of the plane's coefficients.
    """

    axes: list[np.ndarray]
    weights: list[np.ndarray]
    index: np.ndarray
    frequencies: list[np.ndarray]
    shape: tuple[int, int]


@lru_cache(maxsize=8)  # the crystals of a dataset share a few grids
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
    """The real part of the plane's trigonometric polynomial on the window, shape (size, size).

    Args:
        coefficients: shape (m1, m2).
        frequencies: along the plane's two vectors, shapes (m1,) and (m2,).
        steps: of the window's rows and columns, in units of the plane's vectors, shape (2, 2).
        size: points per side.
    """
    point = np.arange(size)
    waves = [
        [np.exp(2j * np.pi * np.multiply.outer(m, point * s)) for m, s in zip(frequencies, step, strict=True)]
        for step in steps
    ]
    (row1, row2), (column1, column2) = waves
    if abs(steps[0, 1]) < 1e-12:  # rows follow the first vector, as they do unless the window is rotated
        return (row1.T @ (column1 * (coefficients @ column2))).real
    rows = (coefficients[:, :, None] * row1[:, None]) * row2
    columns = column1[:, None] * column2
    rows, columns = rows.reshape(-1, size), columns.reshape(-1, size)
    return rows.real.T @ columns.real - rows.imag.T @ columns.imag
