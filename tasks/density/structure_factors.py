"""Densities as crystallographers publish them: symmetry-unique Fourier coefficients and what expands them.

A density on a periodic grid is a trigonometric polynomial, rho(x) = sum_h F(h) exp(2 pi i h x), with x in fractions of
the cell. Where {R|t} is a symmetry of the crystal, F(hR) = F(h) exp(2 pi i h t), and since the density is real, F(-h)
is the conjugate of F(h). So one coefficient of each such class is stored, up to a resolution |G| = 2 pi / d.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ...benchmark.errors import DataError

# Of the form in which a dataset stores them.
FORMAT = 1
PROMOLECULE = "promolecule"
# Relative to the largest coefficient besides F(0): what an operation may do to the others.
_SYMMETRY_TOLERANCE = 1e-3
# h k l as one number, in their order: indices are far smaller than these steps, and float64 holds the sums exactly.
AS_NUMBER = np.array([2.0**40, 2.0**20, 1.0])
_LARGEST_INDEX = 4096
# Of a rotation or a cube in units of the cell vectors; 1 in a reduced cell.
_LARGEST_ENTRY = 16
_MOST_OPERATIONS = 48  # that a lattice in three dimensions can have
# Reflections times operations: those up to 40 1/A of a cell of 3,900 A^3.
_MOST_WAVES = 2**22
# What reading damaged cells raises.
_DAMAGE = (KeyError, ValueError, TypeError, IndexError, AttributeError, OverflowError, RecursionError)


@dataclass(frozen=True, eq=False)
class StructureFactors:
    """Densities of one crystal.

    Attributes:
        lattice: cell vectors as rows, shape (3, 3), A.
        frac_coords: fractional coordinates of the sites, shape (n, 3).
        numbers: atomic numbers, shape (n,).
        rotations: of the symmetry operations x' = R x + t, integers of shape (m, 3, 3); no two are equal.
        translations: of the same, in fractions of the cell, shape (m, 3).
        reflections: indices h k l, one of each class of equivalent reflections, shape (k, 3).
        coefficients: F(hkl) by density channel, complex of shape (k,), e/A^3.
        resolution: up to this |G| every reflection is there that is not zero, 1/A.
        cube: integer matrix whose rows are the edges of the conventional cube in units of the cell vectors; None where
            the crystal is not cubic F-centred.
    """

    lattice: np.ndarray
    frac_coords: np.ndarray
    numbers: np.ndarray
    rotations: np.ndarray
    translations: np.ndarray
    reflections: np.ndarray
    coefficients: Mapping[str, np.ndarray]
    resolution: float
    cube: np.ndarray | None = None

    @property
    def cell_volume(self) -> float:
        """Volume of the unit cell, A^3."""
        return float(abs(np.linalg.det(self.lattice)))

    def electrons(self, channel: str) -> float:
        """Integral of a channel over the unit cell."""
        origin = ~self.reflections.any(axis=1)
        return float(self.coefficients[channel][origin].real.sum() * self.cell_volume)

    def channel(self, name: str) -> np.ndarray:
        """Coefficients of a channel; `promolecule` is the total density without its deformation, that is superposed
        atoms.

        Raises:
            DataError: there is no such channel.
        """
        known = dict(self.coefficients)
        if {"total", "deformation"} <= set(known):
            known[PROMOLECULE] = known["total"] - known["deformation"]
        if name not in known:
            raise DataError(f"The crystal has no {name} density; it has {', '.join(known)}.")
        return known[name]

    def waves(self, channel: str, start: np.ndarray, basis: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The density as the real part of a sum of waves: amplitudes, and frequencies along given vectors.

        Args:
            channel: of the density.
            start: where the phase of every wave is taken, in fractions of the cell, shape (3,).
            basis: vectors as columns, integers in units of the cell vectors, shape (3, d).

        Returns:
            Complex amplitudes, shape (w,), and integer frequencies along each vector, shape (d, w).
        """
        rotations, translations = self._operations
        reflections = self.reflections.astype(float)
        phases = (2 * np.pi) * (reflections @ (rotations @ start + translations).T)
        amplitudes = np.empty(phases.shape, dtype=complex)
        np.cos(phases, out=amplitudes.real)
        np.sin(phases, out=amplitudes.imag)
        amplitudes *= (self.channel(channel) * self._weights)[:, None]
        frequencies = np.stack([reflections @ (rotations @ vector).T for vector in basis.T])
        return amplitudes.ravel(), np.rint(frequencies).astype(np.int64).reshape(len(frequencies), -1)

    @cached_property
    def _operations(self) -> tuple[np.ndarray, np.ndarray]:
        """Rotations and translations of the operations that are summed over.

        Where one of them is an inversion, the improper ones give the conjugates of what the proper ones give.
        """
        if (self.rotations == -np.eye(3, dtype=int)).all(axis=(1, 2)).any():
            proper = np.linalg.det(self.rotations) > 0
            return self.rotations[proper].astype(float), self.translations[proper]
        return self.rotations.astype(float), self.translations

    @cached_property
    def _weights(self) -> np.ndarray:
        """How much of its class one operation stands for, by reflection, shape (k,).

        The density is the real part of the sum, over reflections and operations, of weight x F(h) exp(2 pi i h (R x +
        t)).
        """
        fixed, turned = _stabilisers(self.reflections, self._operations[0])
        return 2 / (fixed.sum(axis=1) + turned.sum(axis=1))

    def to_cells(self) -> dict[str, Any]:
        """As a dataset stores them: `structure` and `symmetry` as JSON; `reflections`, `cube` and
        `structure_factors_<channel>` as float32."""
        structure = {
            "lattice": self.lattice.tolist(),
            "numbers": self.numbers.tolist(),
            "frac_coords": self.frac_coords.tolist(),
        }
        symmetry = {
            "format": FORMAT,
            "resolution": self.resolution,
            "rotations": self.rotations.astype(int).tolist(),
            "translations": self.translations.tolist(),
        }
        return {
            "structure": json.dumps(structure),
            "symmetry": json.dumps(symmetry),
            "reflections": self.reflections.astype(np.float32),
            **({} if self.cube is None else {"cube": self.cube.astype(np.float32)}),
            **{
                f"structure_factors_{channel}": np.stack([values.real, values.imag], axis=1).astype(np.float32)
                for channel, values in self.coefficients.items()
            },
        }

    @classmethod
    def from_cells(cls, cells: Mapping[str, Any]) -> StructureFactors:
        """The reverse of `to_cells`, with the channels that are among the cells.

        Raises:
            DataError: they are incomplete, of another version, or break the symmetry that they state.
        """
        try:
            symmetry = json.loads(cells["symmetry"])
            if symmetry["format"] != FORMAT:
                raise DataError(
                    f"The structure factors are of form {symmetry['format']}, and this version of ecdbench reads form "
                    f"{FORMAT}; install the version that wrote them, or build the dataset again."
                )
            channels = {
                name.removeprefix("structure_factors_"): np.asarray(value, dtype=float).T
                for name, value in cells.items()
                if name.startswith("structure_factors_")
            }
            found = cls(
                **read_structure(cells["structure"]),
                rotations=np.array(symmetry["rotations"], dtype=int),
                translations=np.array(symmetry["translations"], dtype=float),
                reflections=_integers(cells["reflections"]),
                coefficients={name: real + 1j * imaginary for name, (real, imaginary) in channels.items()},
                resolution=float(symmetry["resolution"]),
                cube=_integers(cells["cube"]) if "cube" in cells else None,
            )
        except _DAMAGE as error:
            raise DataError(
                f"The structure factors are damaged ({type(error).__name__}: {error}); copy or build the dataset again."
            ) from error
        check_structure_factors(found)
        return found


def read_structure(text: str) -> dict[str, np.ndarray]:
    """`lattice`, `frac_coords` and `numbers` of `StructureFactors`, from the JSON that `to_cells` makes of them.

    Raises:
        DataError: they are incomplete, or do not fit together.
    """
    try:
        stored = json.loads(text)
        lattice = np.array(stored["lattice"], dtype=float).reshape(3, 3)
        frac_coords = np.array(stored["frac_coords"], dtype=float).reshape(-1, 3)
        numbers = np.array(stored["numbers"], dtype=int).reshape(len(frac_coords))
    except _DAMAGE as error:
        raise DataError(
            f"The structure is damaged ({type(error).__name__}: {error}); copy or build the dataset again."
        ) from error
    return {"lattice": lattice, "numbers": numbers, "frac_coords": frac_coords}


def _integers(values: Any) -> np.ndarray:
    """Integers that are stored as float32. Raises ValueError where they are others, or larger than any index."""
    found = np.asarray(values, dtype=float)
    if not (np.abs(found) <= _LARGEST_INDEX).all() or (found != found.round()).any():
        raise ValueError("indices are not integers, or larger than a crystal has")
    return found.astype(int)


def fold(waves: np.ndarray, index: np.ndarray, size: int) -> np.ndarray:
    """The sums of the waves that share an index, complex of shape (size,).

    Args:
        waves: amplitudes, complex of shape (w,).
        index: of each of them, shape (w,).
        size: number of sums.
    """
    sums = np.empty(size, dtype=complex)
    sums.real = np.bincount(index, waves.real, size)
    sums.imag = np.bincount(index, waves.imag, size)
    return sums


def check_structure_factors(found: StructureFactors) -> None:
    """Reject what cannot be the structure factors of a crystal.

    Raises:
        DataError: arrays do not fit together, or coefficients break the symmetry that is stated.
    """
    k, m = len(found.reflections), len(found.rotations)
    numbers = (found.lattice, found.frac_coords, found.translations, found.reflections, *found.coefficients.values())
    shapes = (
        found.lattice.shape == (3, 3)
        and found.rotations.shape == (m, 3, 3)
        and found.translations.shape == (m, 3)
        and found.reflections.shape == (k, 3)
        and len(found.numbers) == len(found.frac_coords) > 0
        and bool((found.numbers > 0).all())
        and (found.cube is None or found.cube.shape == (3, 3))
        and all(values.shape == (k,) for values in found.coefficients.values())
        and all(np.isfinite(values).all() for values in numbers)
    )
    if not shapes or k == 0 or m == 0 or found.cell_volume == 0 or not found.resolution > 0:
        raise DataError("The structure factors are truncated or do not fit together; copy or build the dataset again.")
    if m > _MOST_OPERATIONS or k * m > _MOST_WAVES:
        raise DataError(
            f"The structure factors have {k:,} reflections and {m:,} operations; at most {_MOST_OPERATIONS} operations "
            f"and {_MOST_WAVES:,} products of both are read."
        )
    _check_operations(found)
    fixed, turned = (np.nonzero(one) for one in _stabilisers(found.reflections, found.rotations))
    at_fixed, at_turned = (
        np.exp(2j * np.pi * (found.reflections[h] * found.translations[operation]).sum(axis=1))
        for h, operation in (fixed, turned)
    )
    for channel, values in found.coefficients.items():
        scale = np.abs(values).max()
        broken = np.abs(values[fixed[0]] * (at_fixed - 1)).max(initial=0)
        broken = max(broken, np.abs(values[turned[0]] * at_turned - values[turned[0]].conj()).max(initial=0))
        if broken > _SYMMETRY_TOLERANCE * scale:
            raise DataError(
                f"The structure factors of the {channel} density break the symmetry that is stated beside them; copy "
                "or build the dataset again."
            )


def is_group(rotations: np.ndarray) -> bool:
    """Whether the product of any two rotations is one of them, and each is invertible in integers.

    Args:
        rotations: integers of shape (m, 3, 3).
    """
    if np.abs(rotations).max() > _LARGEST_ENTRY or (np.abs(np.rint(np.linalg.det(rotations))) != 1).any():
        return False
    base = 2 * _LARGEST_ENTRY + 1
    as_number = base ** np.arange(9).reshape(3, 3)
    products = rotations[:, None] @ rotations
    return bool(
        (np.abs(products) <= _LARGEST_ENTRY).all()
        and np.isin((products * as_number).sum(axis=(2, 3)), (rotations * as_number).sum(axis=(1, 2))).all()
    )


def _check_operations(found: StructureFactors) -> None:
    """Reject operations that are no group, and reflections that are no representatives of their classes.

    Raises:
        DataError: they are not.
    """
    rotations, reflections, cube = found.rotations, found.reflections, found.cube
    distinct = len(np.unique(rotations, axis=0)) == len(rotations)
    if not distinct or not is_group(rotations):
        raise DataError("The symmetry operations are no group; copy or build the dataset again.")
    if cube is not None and (np.abs(cube).max() > _LARGEST_ENTRY or round(np.linalg.det(cube)) not in (1, 4)):
        raise DataError("The cube beside the structure factors is that of no F-centred cell; build the dataset again.")
    classes = np.abs(_images(reflections, rotations)).max(axis=1)
    if len(np.unique(classes)) < len(reflections):
        raise DataError("The structure factors hold two of one class of reflections; copy or build the dataset again.")


def _stabilisers(reflections: np.ndarray, rotations: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Which rotations leave a reflection where it is, and which turn it into its opposite; booleans, shape (k, m)."""
    images, own = _images(reflections, rotations), (reflections @ AS_NUMBER)[:, None]
    return images == own, images == -own


def _images(reflections: np.ndarray, rotations: np.ndarray) -> np.ndarray:
    """What rotations make of reflections, each as one number, shape (k, m)."""
    return reflections.astype(float) @ (rotations.astype(float) @ AS_NUMBER).T
