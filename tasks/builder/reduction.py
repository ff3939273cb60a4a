"""From a density on a grid to its structure factors, at the resolution that reproduces it."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy import fft

from ...benchmark.errors import DataError
from ..density.structure_factors import StructureFactors
from .densities import Volume

# 1/A; the first at which every channel is accurate enough, or the last.
RESOLUTIONS = (25.0, 30.0, 35.0, 40.0)
# Root mean square error over range, away from the nuclei. The spin density is held to the same as the total one.
ACCURACY = {"total": 1e-4, "spin": 1e-3, "deformation": 1e-3}
CORE_RADIUS = 0.8
# Coefficients are stored in steps of 1e-9 e/A^3, far finer than the densities are accurate, so that the last bits,
# which differ between processors, do not change what is stored.
_DECIMALS = 9
# A range below this (e/A^3) is numerical noise, to which no error is related.
_NOISE = 1e-6
_SYMMETRY_PRECISION = 1e-3  # A
# How well a density obeys an operation of its structure, relative to its largest coefficient, up to this resolution
# (1/A): higher coefficients of plane-wave codes depend on how their grids are cut off.
_OBEYS, _OBEYS_UP_TO = 1e-4, 12.0


@dataclass(frozen=True)
class Reduction:
    """Structure factors and how well they reproduce the density they were made from.

    Attributes:
        factors: the structure factors.
        error: by channel, root mean square error over range at the grid points outside `CORE_RADIUS` of any nucleus.
        worst: by channel, the largest error there, over range.
    """

    factors: StructureFactors
    error: Mapping[str, float]
    worst: Mapping[str, float]

    @property
    def is_accurate(self) -> bool:
        """Whether every channel is as accurate as `ACCURACY` asks."""
        return all(error <= ACCURACY[channel] for channel, error in self.error.items())


def reduce_density(volume: Volume) -> Reduction:
    """The structure factors of a density at the lowest of the `RESOLUTIONS` that is accurate enough, or at the highest.

    Args:
        volume: densities of any crystal.
    """
    spectra = {name: fft.fftn(np.asarray(grid, dtype=float), norm="forward") for name, grid in volume.channels.items()}
    operations = _operations(volume, spectra)
    outside = outside_cores(volume)
    found = None
    for resolution in RESOLUTIONS:
        factors = _reduced(volume, spectra, operations, resolution)
        errors = {name: _errors(factors, name, grid, outside) for name, grid in volume.channels.items()}
        found = Reduction(factors, {c: e[0] for c, e in errors.items()}, {c: e[1] for c, e in errors.items()})
        if found.is_accurate:
            break
    assert found is not None
    return found


def has_cube(volume: Volume) -> bool:
    """Whether a cell is that of an F-centred cubic lattice, primitive or conventional."""
    try:
        return volume.cube_matrix is not None
    except DataError:
        return False


def _reduced(
    volume: Volume, spectra: Mapping[str, np.ndarray], operations: tuple[np.ndarray, np.ndarray], resolution: float
) -> StructureFactors:
    rotations, translations = operations
    reflections = _within(volume, resolution)
    distinct, first = np.unique(rotations.reshape(-1, 9), axis=0, return_index=True)
    distinct = distinct.reshape(-1, 3, 3)
    # One reflection of each class: the largest of its images and their opposites, in the order of h, k, l.
    images = np.matmul(reflections, distinct)
    keys = _keys(np.concatenate([images, -images]))
    unique = reflections[_keys(reflections) == keys.max(axis=0)]
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
        resolution=resolution,
        cube=volume.cube_matrix if has_cube(volume) else None,
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
        scale = np.abs(values[reflections.any(axis=1)]).max(initial=_NOISE)
        for number, (rotation, translation) in enumerate(zip(rotations, translations, strict=True)):
            if obeyed[number]:
                image = _at(spectrum, reflections @ rotation)
                difference = np.abs(image - values * np.exp(2j * np.pi * (reflections @ translation))).max()
                obeyed[number] = difference <= _OBEYS * scale + _NOISE
    rotations, translations = rotations[obeyed], translations[obeyed]
    return (rotations, translations) if _is_group(rotations) else identity


def _is_group(rotations: np.ndarray) -> bool:
    known = {rotation.tobytes() for rotation in rotations}
    return all((one @ other).tobytes() in known for one, other in itertools.product(rotations, rotations))


def _within(volume: Volume, resolution: float) -> np.ndarray:
    """Indices of the reflections up to a resolution that the grid resolves, shape (n, 3)."""
    shape = next(iter(volume.channels.values())).shape
    axes = [np.arange(-((count - 1) // 2), (count - 1) // 2 + 1) for count in shape]
    indices = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    reciprocal = 2 * np.pi * np.linalg.inv(volume.lattice).T
    return indices[np.linalg.norm(indices @ reciprocal, axis=1) <= resolution]


def _averaged(
    spectrum: np.ndarray, reflections: np.ndarray, rotations: np.ndarray, translations: np.ndarray
) -> np.ndarray:
    """Coefficients averaged over the operations and rounded, shape (k,)."""
    images = np.matmul(reflections, rotations)
    phases = np.exp(-2j * np.pi * (translations @ reflections.T))
    mean = (_at(spectrum, images) * phases).mean(axis=0)
    # Where an image is the opposite, the coefficient has the phase that makes the density real.
    opposite = (images == -reflections).all(axis=2)
    conjugate = np.where(opposite, mean.conj() * phases, 0).sum(axis=0) / np.maximum(opposite.sum(axis=0), 1)
    mean = np.where(opposite.any(axis=0), (mean + conjugate) / 2, mean)
    rounded = np.round(mean.real, _DECIMALS) + 1j * np.round(mean.imag, _DECIMALS)
    return rounded.real.astype(np.float32).astype(float) + 1j * rounded.imag.astype(np.float32).astype(float)


def _at(spectrum: np.ndarray, indices: np.ndarray) -> np.ndarray:
    """Coefficients at h k l, shape (..., 3); 0 beyond what the grid resolves."""
    shape = np.array(spectrum.shape)
    inside = (np.abs(indices) <= (shape - 1) // 2).all(axis=-1)
    return np.where(inside, spectrum[tuple(np.moveaxis(indices % shape, -1, 0))], 0)


def _keys(indices: np.ndarray) -> np.ndarray:
    """h k l as one number each, in their order."""
    return (indices[..., 0] * 4096 + indices[..., 1]) * 4096 + indices[..., 2]


def _errors(factors: StructureFactors, channel: str, grid: np.ndarray, outside: np.ndarray) -> tuple[float, float]:
    """Root mean square and largest error outside the cores, over the range of the density; 0 for one that is noise."""
    spread = float(np.ptp(grid))
    if spread < _NOISE:
        return 0.0, 0.0
    difference = np.abs(on_grid(factors, channel, grid.shape) - grid)[outside]
    return float(np.sqrt((difference**2).mean()) / spread), float(difference.max() / spread)


def on_grid(factors: StructureFactors, channel: str, shape: tuple[int, ...]) -> np.ndarray:
    """The density that structure factors give at the points of a grid of the cell."""
    waves, frequencies = factors.waves(channel, np.zeros(3), np.eye(3, dtype=int))
    index = np.ravel_multi_index(tuple(frequencies % np.array(shape)[:, None]), shape)
    spectrum = np.bincount(index, waves.real, np.prod(shape)) + 1j * np.bincount(index, waves.imag, np.prod(shape))
    return fft.ifftn(spectrum.reshape(shape), norm="forward").real


def outside_cores(volume: Volume) -> np.ndarray:
    """Which grid points are further than `CORE_RADIUS` from every nucleus."""
    shape = np.array(next(iter(volume.channels.values())).shape)
    outside = np.ones(shape, dtype=bool)
    # A plane of the cell is at most this many grid steps away from a nucleus that is within the radius of it.
    reach = np.ceil(CORE_RADIUS * np.linalg.norm(np.linalg.inv(volume.lattice), axis=0) * shape).astype(int) + 1
    box = np.stack(np.meshgrid(*[np.arange(-n, n + 1) for n in reach], indexing="ij"), axis=-1).reshape(-1, 3)
    for site in volume.frac_coords:
        points = np.floor(site * shape).astype(int) + box
        near = np.linalg.norm((points / shape - site) @ volume.lattice, axis=1) <= CORE_RADIUS
        outside[tuple((points[near] % shape).T)] = False
    return outside
