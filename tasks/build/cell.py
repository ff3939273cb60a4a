"""The conventional cubic cell of a face-centred-cubic crystal, in whatever setting it was computed."""

from __future__ import annotations

import itertools

import numpy as np

from ...benchmark.errors import DataError
from .volume import Volume


def conventional_matrix(lattice: np.ndarray, tolerance: float = 1e-2) -> np.ndarray:
    """The integer matrix that takes an F-centred cubic cell to its conventional cube.

    Args:
        lattice: cell vectors as rows, shape (3, 3), Angstrom; primitive or conventional, any orientation.
        tolerance: relative deviation from a cube that is still accepted.

    Returns:
        M, shape (3, 3), integers, with rows of `M @ lattice` orthogonal, equally long and right-handed.

    Raises:
        DataError: the cell is neither the primitive nor the conventional cell of an F-centred cubic lattice.
    """
    lengths = np.linalg.norm(lattice, axis=1)
    volume = abs(np.linalg.det(lattice))
    for cells in (1, 4):  # conventional already, or primitive
        edge = (cells * volume) ** (1 / 3)
        if cells == 1 and not np.allclose(lengths, edge, rtol=tolerance):
            continue
        candidates = np.array(list(itertools.product(range(-2, 3), repeat=3)))
        fits = np.abs(np.linalg.norm(candidates @ lattice, axis=1) - edge) < tolerance * edge
        triples = np.array(list(itertools.permutations(candidates[fits].tolist(), 3))).reshape(-1, 3, 3)
        cubes = triples @ lattice
        gram = cubes @ cubes.transpose(0, 2, 1)
        square = np.abs(gram - edge**2 * np.eye(3)).max(axis=(1, 2)) < tolerance * edge**2
        right = triples[square & (np.linalg.det(cubes) > 0)]
        if len(right):
            # Of the 24 settings, the one whose [111] follows the cell's own diagonal: it is the three-fold
            # axis of the usual primitive grid, and makes a conventional cell map to itself.
            diagonal = lattice.sum(axis=0)
            along = np.round((right.sum(axis=1) @ lattice) @ diagonal, 6)
            return right[np.lexsort((*-right.reshape(-1, 9).T[::-1], -along))[0]]
    raise DataError(
        "the cell is not cubic F-centred (neither its primitive nor its conventional cell); "
        "give a face-centred-cubic crystal, or transform the density to such a cell first."
    )


def check_centring(volume: Volume, cube: np.ndarray) -> None:
    """Refuse a cubic cell that is its own conventional cube but whose density is not F-centred.

    Raises:
        DataError: shifted by half a face diagonal, the density is another one.
    """
    grid = next(iter(volume.channels.values()))
    if abs(round(np.linalg.det(cube))) != 1 or any(count % 2 for count in grid.shape):
        return
    for face in ((0, 1), (1, 2)):
        shifted = np.roll(grid, [grid.shape[axis] // 2 for axis in face], axis=face)
        if np.abs(shifted - grid).max() > 0.05 * np.ptp(grid):
            raise DataError("the cell is cubic but not F-centred; give a face-centred-cubic crystal.")
