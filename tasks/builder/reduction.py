"""From a density on a grid to its structure factors, at the resolution that reproduces it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy import fft

from ..density.pictures import is_noise
from ..density.structure_factors import AS_NUMBER, StructureFactors, is_group
from ..density.volumes import density_grid
from .densities import Volume

# 1/A; the first at which every channel is accurate enough, or the last.
RESOLUTIONS = (25.0, 30.0, 35.0, 40.0)
# Root mean square error over range, away from the nuclei.
ACCURACY = {"total": 1e-4, "spin": 1e-3, "deformation": 1e-3}
CORE_RADIUS = 0.8
# Coefficients are rounded to 1e-9 e/A^3, far finer than the densities are accurate, so that the last bits, which differ
# between processors, do not change what is stored.
_DECIMALS = 9
_SYMMETRY_PRECISION = 1e-3  # A
# How well a density obeys an operation of its structure, relative to its largest coefficient, up to this resolution
# (1/A): higher coefficients of plane-wave codes depend on how their grids are cut off.
_OBEYS, _OBEYS_UP_TO = 1e-4, 12.0


@dataclass(frozen=True)
class Reduction:
    """Structure factors and how well they reproduce the density they were made from.

    Attributes:
        factors: the structure factors.
        error: by channel, root mean square error over range at the grid points outside `CORE_RADIUS` of any nucleus; 0
            for a channel that is numerical noise.
    """

    factors: StructureFactors
    error: Mapping[str, float]

    @property
    def is_accurate(self) -> bool:
        """Whether every channel is as accurate as `ACCURACY` asks."""
        return all(error <= ACCURACY[channel] for channel, error in self.error.items())


def reduce_density(volume: Volume) -> Reduction:
    """The structure factors of a density at the lowest of the `RESOLUTIONS` that is accurate enough, or at the highest
    that its grid has.

    Args:
        volume: densities of any crystal, e/A^3.
    """
    spectra = {name: fft.fftn(np.asarray(grid, dtype=float), norm="forward") for name, grid in volume.channels.items()}
    signals = {name: grid for name, grid in volume.channels.items() if not is_noise(grid)}
    operations = _operations(volume, {name: spectra[name] for name in signals})
    outside, largest = outside_cores(volume), _largest_resolution(volume)
    for resolution in RESOLUTIONS:
        factors = _reduced(volume, spectra, operations, resolution)
        errors = {name: _error(factors, name, grid, outside) for name, grid in signals.items()}
        reduction = Reduction(factors, {name: errors.get(name, 0.0) for name in volume.channels})
        if reduction.is_accurate or resolution >= min(largest, RESOLUTIONS[-1]):
            break
    return reduction


def outside_cores(volume: Volume) -> np.ndarray:
    """Which grid points are further than `CORE_RADIUS` (A) from every nucleus, booleans of the grid's shape."""
    shape = np.array(_shape(volume))
    outside = np.ones(shape, dtype=bool)
    # A plane of the cell is at most this many grid steps away from a nucleus that is within the radius of it.
    reach = np.ceil(CORE_RADIUS * np.linalg.norm(np.linalg.inv(volume.lattice), axis=0) * shape).astype(int) + 1
    box = np.stack(np.meshgrid(*[np.arange(-n, n + 1) for n in reach], indexing="ij"), axis=-1).reshape(-1, 3)
    for site in volume.frac_coords:
        points = np.floor(site * shape).astype(int) + box
        near = np.linalg.norm((points / shape - site) @ volume.lattice, axis=1) <= CORE_RADIUS
        outside[tuple((points[near] % shape).T)] = False
    return outside


def _reduced(
    volume: Volume, spectra: Mapping[str, np.ndarray], operations: tuple[np.ndarray, np.ndarray], resolution: float
) -> StructureFactors:
    rotations, translations = operations
    limits = (np.array(_shape(volume)) - 1) // 2
    _, first = np.unique(rotations.reshape(-1, 9), axis=0, return_index=True)
    distinct = rotations[first]
    reflections = _within(volume, resolution)
    # One reflection of each class, the largest of its images and their opposites; only of classes that the grid
    # resolves as a whole.
    own = largest = reflections @ AS_NUMBER
    resolved = np.ones(len(reflections), dtype=bool)
    for rotation in distinct:
        image = reflections @ rotation
        resolved &= (np.abs(image) <= limits).all(axis=1)
        number = image @ AS_NUMBER
        largest = np.maximum(largest, np.maximum(number, -number))
    unique = reflections[resolved & (own == largest)]
    averaged = {name: _averaged(spectrum, unique, rotations, translations) for name, spectrum in spectra.items()}
    present = np.any([values != 0 for values in averaged.values()], axis=0) | ~unique.any(axis=1)
    order = np.lexsort((*unique[present].T[::-1], np.abs(unique[present]).sum(axis=1)))
    return StructureFactors(
        lattice=volume.lattice,
        frac_coords=volume.frac_coords,
        numbers=volume.numbers,
        rotations=distinct,
        translations=translations[first],
        reflections=unique[present][order],
        coefficients={name: values[present][order] for name, values in averaged.items()},
        resolution=min(resolution, _resolved_sphere(volume)),
    )


def _operations(volume: Volume, spectra: Mapping[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """The symmetry operations of the structure that every density obeys; only the identity where those are no group.

    An antiferromagnet's spin density, for one, has less symmetry than its structure.
    """
    import spglib

    cell = (volume.lattice.tolist(), volume.frac_coords.tolist(), volume.numbers.tolist())
    found = spglib.get_symmetry(cell, symprec=_SYMMETRY_PRECISION)
    identity = np.eye(3, dtype=int)[None], np.zeros((1, 3))
    if found is None:
        return identity
    rotations, translations = found["rotations"].astype(int), found["translations"].round(10)
    reflections = _within(volume, _OBEYS_UP_TO)
    obeyed = np.ones(len(rotations), dtype=bool)
    for spectrum in spectra.values():
        values = _at(spectrum, reflections)
        tolerance = _OBEYS * np.abs(values[reflections.any(axis=1)]).max(initial=0)
        for number in np.flatnonzero(obeyed):
            image = _at(spectrum, reflections @ rotations[number])
            expected = values * np.exp(2j * np.pi * (reflections @ translations[number]))
            obeyed[number] = np.abs(image - expected).max() <= tolerance
    rotations, translations = rotations[obeyed], translations[obeyed]
    return (rotations, translations) if is_group(rotations) else identity


def _shape(volume: Volume) -> tuple[int, ...]:
    return next(iter(volume.channels.values())).shape


def _indices(volume: Volume) -> tuple[np.ndarray, np.ndarray]:
    """The reflections that the grid resolves, shape (n, 3), and their |G|, 1/A."""
    axes = [np.arange(-((count - 1) // 2), (count - 1) // 2 + 1) for count in _shape(volume)]
    indices = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    reciprocal = 2 * np.pi * np.linalg.inv(volume.lattice).T
    return indices, np.linalg.norm(indices @ reciprocal, axis=1)


def _within(volume: Volume, resolution: float) -> np.ndarray:
    indices, lengths = _indices(volume)
    return indices[lengths <= resolution]


def _largest_resolution(volume: Volume) -> float:
    """The |G| of the grid's outermost reflection, 1/A."""
    return float(_indices(volume)[1].max())


def _resolved_sphere(volume: Volume) -> float:
    """Up to which |G| the grid resolves every reflection, 1/A: the next plane h, k or l = const is not on it."""
    counts = (np.array(_shape(volume)) - 1) // 2 + 1
    return float((2 * np.pi * counts / np.linalg.norm(volume.lattice, axis=1)).min())


def _averaged(
    spectrum: np.ndarray, reflections: np.ndarray, rotations: np.ndarray, translations: np.ndarray
) -> np.ndarray:
    """Coefficients averaged over the operations and rounded to what float32 holds, complex of shape (k,)."""
    mean = np.zeros(len(reflections), dtype=complex)
    for rotation, translation in zip(rotations, translations, strict=True):
        mean += _at(spectrum, reflections @ rotation) * np.exp(-2j * np.pi * (reflections @ translation))
    return np.round(mean / len(rotations), _DECIMALS).astype(np.complex64).astype(complex)


def _at(spectrum: np.ndarray, indices: np.ndarray) -> np.ndarray:
    """Coefficients at h k l, indices of shape (n, 3); 0 beyond what the grid resolves."""
    shape = np.array(spectrum.shape)
    inside = (np.abs(indices) <= (shape - 1) // 2).all(axis=1)
    return np.where(inside, spectrum[tuple((indices % shape).T)], 0)


def _error(factors: StructureFactors, channel: str, grid: np.ndarray, outside: np.ndarray) -> float:
    difference = density_grid(factors, channel, grid.shape) - grid
    return float(np.sqrt((difference[outside] ** 2).mean()) / np.ptp(grid))
