"""The cubic setting of a cell."""

from __future__ import annotations

import itertools

import numpy as np

from ...benchmark.errors import DataError


def conventional_matrix(lattice: np.ndarray, tolerance: float = 1e-2) -> np.ndarray:
    """The integer matrix that transforms an F-centred cubic cell into its conventional cube.

    Args:
        lattice: cell vectors as rows, shape (3, 3), Angstrom; primitive or conventional, in any orientation.
        tolerance: accepted relative deviation from a cube.

    Returns:
        M, integers of shape (3, 3); the rows of `M @ lattice` are orthogonal, equally long and right-handed.

    Raises:
        DataError: the cell is neither the primitive nor the conventional cell of an F-centred cubic lattice.
    """
    lengths = np.linalg.norm(lattice, axis=1)
    volume = abs(np.linalg.det(lattice))
    for cells in (1, 4):  # already conventional, or primitive
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
            # Of the 24 settings, take the one whose [111] follows the body diagonal of the given cell: that is the
            # three-fold axis of the usual primitive cell, and it maps a conventional cell onto itself.
            diagonal = lattice.sum(axis=0)
            along = np.round((right.sum(axis=1) @ lattice) @ diagonal, 6)
            return right[np.lexsort((*-right.reshape(-1, 9).T[::-1], -along))[0]]
    raise DataError(
        "the cell is not cubic F-centred (neither its primitive nor its conventional cell); "
        "give a face-centred-cubic crystal, or transform the density to such a cell first."
    )
