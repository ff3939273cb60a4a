"""One (111) slice against pyrho's 60^3 route: time, and error against exact trigonometric resampling."""

from __future__ import annotations

import os
import warnings
from pathlib import Path

import numpy as np
from ecdbench.tasks.builder.densities import Volume, read_volume
from ecdbench.tasks.builder.slices import PlaneSettings, plane_origin, slice_plane
from pymatgen.core import Structure
from pymatgen.io.vasp import Chgcar, Poscar
from pyrho.charge_density import ChargeDensity
from scipy.ndimage import map_coordinates
from timing import best_of

MATERIALS = ("mp-10182", "mp-10183", "mp-1022")


def window(volume: Volume, settings: PlaneSettings) -> np.ndarray:
    """Points of the slice in fractions of the cell, shape (size, size, 3)."""
    cube = volume.cube_matrix
    start, row, column = (vector @ cube for vector in settings.points())
    index = np.arange(settings.size)
    points = start + index[:, None, None] * row + index[None, :, None] * column
    return points + plane_origin(volume, settings.origin)


def exact(volume: Volume, points: np.ndarray) -> np.ndarray:
    """The trigonometric polynomial of the total density, summed term by term at each point."""
    grid = volume.channels["total"].astype(float)
    spectrum, values = np.fft.fftn(grid) / grid.size, []
    for chunk in np.array_split(points.reshape(-1, 3), 60):
        waves = []
        for axis, count in enumerate(grid.shape):
            wave = np.exp(2j * np.pi * np.outer(chunk[:, axis], np.fft.fftfreq(count, 1 / count)))
            wave[:, count // 2] = np.cos(np.pi * count * chunk[:, axis])  # all grids here are even
            waves.append(wave)
        partial = np.einsum("abc,pc->pab", spectrum, waves[2], optimize=True)
        values.append(np.einsum("pab,pa,pb->p", partial, waves[0], waves[1], optimize=True).real)
    return np.concatenate(values).reshape(points.shape[:2])


def pyrho_slice(chgcar: Chgcar, volume: Volume, settings: PlaneSettings) -> np.ndarray:
    """pyrho's 60^3 cube, then the plane by linear interpolation."""
    matrix = volume.cube_matrix
    cube = ChargeDensity.from_pmg(chgcar).get_transformed(matrix, [60, 60, 60]).normalized_pgrids["total"].grid_data
    points = window(volume, settings) @ np.linalg.inv(matrix)
    return map_coordinates(cube, np.moveaxis(points * 60, -1, 0), order=1, mode="grid-wrap")


def main() -> None:
    """Print a line per crystal."""
    warnings.simplefilter("ignore")
    folder, settings = Path(os.environ["ECDBENCH_DATA"]) / "ecd-fcc" / "densities", PlaneSettings()
    for name in MATERIALS:
        volume = read_volume(folder / f"{name}.npz")
        structure = Structure(volume.lattice, volume.numbers, volume.frac_coords)
        total = volume.channels["total"].astype(float) * volume.cell_volume
        chgcar = Chgcar(Poscar(structure), {"total": total})
        truth = exact(volume, window(volume, settings))
        error = [
            np.sqrt(np.mean((found - truth) ** 2)) / np.ptp(truth)
            for found in (slice_plane(volume, "total", settings), pyrho_slice(chgcar, volume, settings))
        ]
        ours = best_of(lambda v=volume: slice_plane(v, "total", settings), 10)
        theirs = best_of(lambda c=chgcar, v=volume: pyrho_slice(c, v, settings), 3)
        count = volume.channels["total"].shape[0]
        print(
            f"{name} {count}^3: ours {ours * 1e3:.1f} ms, pyrho 60^3 {theirs * 1e3:.0f} ms, "
            f"ratio {theirs / ours:.0f} (at least 10); "
            f"RMSE/range ours {error[0]:.1e} (at most 1e-5), pyrho {error[1]:.1e}"
        )
