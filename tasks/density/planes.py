"""The (111) plane of the conventional cube, synthesised from structure factors.

Restricted to a lattice plane, a density is a trigonometric polynomial in two dimensions, whose coefficients are sums of
the three-dimensional ones along the plane's normal. So a summation and two small matrix products give every point of
the plane to rounding error.
"""

from __future__ import annotations

import math
import numbers
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from ...benchmark.errors import DataError
from .structure_factors import StructureFactors, fold

# In-plane directions, in units of the cube's axes: along a close-packed row, and perpendicular to it.
_ACROSS = np.array([1, -1, 0]) / np.sqrt(2)
_ALONG = np.array([1, 1, -2]) / np.sqrt(6)
_ORIGINS = ("heaviest", "cell")
_LARGEST_SIZE = 4096
# Along one vector of the plane: those up to 40 1/A in a cube of 160 A.
_MOST_FREQUENCIES = 4096


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
        check_size(self.size, _LARGEST_SIZE)
        geometry = (self.window, self.offset, self.rotation)
        if not all(isinstance(one, numbers.Real) and math.isfinite(one) for one in geometry) or self.window <= 0:
            raise DataError("The plane needs a positive window, and a finite offset and rotation.")
        check_origin(self.origin)

    def points(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Start point, row step and column step of the window, in fractional coordinates of the cube."""
        angle = np.deg2rad(self.rotation)
        step = self.window / self.size
        row = step * (np.cos(angle) * _ACROSS + np.sin(angle) * _ALONG)
        column = step * (np.cos(angle) * _ALONG - np.sin(angle) * _ACROSS)
        middle = (self.size - 1) / 2
        return np.full(3, self.offset / 3) - middle * (row + column), row, column


def check_size(size: int, largest: int) -> None:
    """Refuse a number of points per side that is none, or too large. Raises DataError."""
    if not isinstance(size, numbers.Integral) or not 1 <= size <= largest:
        raise DataError(f"size must be an integer from 1 to {largest} (got {size!r}).")


def check_origin(origin: str) -> None:
    """Refuse an origin that does not exist. Raises DataError."""
    if origin not in _ORIGINS:
        raise DataError(f"There is no origin '{origin}'; choose {' or '.join(_ORIGINS)}.")


def view_origin(factors: StructureFactors, origin: str) -> np.ndarray:
    """The point that `PlaneSettings.origin` names, in fractional coordinates of the cell, shape (3,)."""
    check_origin(origin)
    return np.zeros(3) if origin == "cell" else factors.frac_coords[np.argmax(factors.numbers)]


def slice_plane(factors: StructureFactors, channel: str, settings: PlaneSettings | None = None) -> np.ndarray:
    """One density channel on the (111) plane.

    Args:
        factors: of an F-centred cubic crystal.
        channel: one that it holds, or `promolecule`.
        settings: where the plane lies.

    Returns:
        Array of shape (size, size), e/A^3; rows run along [1 -1 0], columns along [1 1 -2].

    Raises:
        DataError: the crystal is not cubic F-centred, or has no such channel.
    """
    settings = settings or PlaneSettings()
    cube = factors.cube
    if cube is None:
        raise DataError("The crystal is not cubic F-centred, so it has no (111) plane of a cube; look at its volume.")
    start, row, column = (vector @ cube for vector in settings.points())
    first, second = _in_plane_basis(cube)
    coefficients, frequencies = _plane_coefficients(
        factors, channel, start + view_origin(factors, settings.origin), np.stack([first, second], axis=1)
    )
    # The window's steps in units of the plane's own two vectors.
    steps = np.linalg.lstsq(np.stack([first, second]).T, np.stack([row, column]).T, rcond=None)[0].T
    return _evaluate(coefficients, frequencies, steps, settings.size)


def _in_plane_basis(cube: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Two integer vectors that span the (111) plane in units of the cell vectors, the first along [1 -1 0]."""
    first, second = cube[0] - cube[1], cube[1] - cube[2]
    if not (first % 2).any() and not (second % 2).any():
        return first // 2, second // 2
    return first, second


def _plane_coefficients(
    factors: StructureFactors, channel: str, start: np.ndarray, basis: np.ndarray
) -> tuple[np.ndarray, tuple[int, int]]:
    """Fourier coefficients on the plane through `start`, and the lowest frequency along each of its two vectors.

    Args:
        factors: the density.
        channel: of it.
        start: in fractions of the cell, shape (3,).
        basis: the plane's two vectors as columns, shape (3, 2).
    """
    waves, frequencies = factors.waves(channel, start, basis)
    low = frequencies.min(axis=1)
    count = frequencies.max(axis=1) - low + 1
    if count.max() > _MOST_FREQUENCIES:
        raise DataError(
            f"The plane has {count[0]:,} x {count[1]:,} frequencies, more than {_MOST_FREQUENCIES:,} along an axis."
        )
    index = frequencies[0] * count[1] + (frequencies[1] - low[0] * count[1] - low[1])
    return fold(waves, index, count.prod()).reshape(count), (int(low[0]), int(low[1]))


def _evaluate(coefficients: np.ndarray, low: tuple[int, int], steps: np.ndarray, size: int) -> np.ndarray:
    """The real part of the plane's trigonometric polynomial on the window, shape (size, size).

    Args:
        coefficients: shape (m1, m2).
        low: the lowest frequency along the plane's two vectors.
        steps: of the window's rows and columns, in units of the plane's vectors, shape (2, 2).
        size: points per side.
    """
    (row1, row2), (column1, column2) = (
        [
            _exponentials(start, count, round(s, 14), size)
            for start, count, s in zip(low, coefficients.shape, step, strict=True)
        ]
        for step in steps
    )
    if abs(steps[0, 1]) < 1e-12:  # rows follow the first vector, as they do unless the window is rotated
        return (row1.T @ (column1 * (coefficients @ column2))).real
    rows = (coefficients[:, :, None] * row1[:, None]) * row2
    columns = column1[:, None] * column2
    rows, columns = rows.reshape(-1, size), columns.reshape(-1, size)
    return rows.real.T @ columns.real - rows.imag.T @ columns.imag


@lru_cache(maxsize=64)  # crystals of one lattice share them
def _exponentials(low: int, count: int, step: float, size: int) -> np.ndarray:
    return np.exp(2j * np.pi * np.multiply.outer(np.arange(low, low + count), np.arange(size) * step))
