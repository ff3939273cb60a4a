"""The packaged densities against the raw grids: error of planes and volumes per channel, symmetry, electrons, times.

The raw folders are `ecd-fcc` and `ecd-fcc-more` in ECDBENCH_DATA, and those that ECDBENCH_RAW names, separated by `:`.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import numpy as np
from ecdbench.tasks.builder.densities import Volume, read_volume
from ecdbench.tasks.builder.reduction import outside_cores
from ecdbench.tasks.catalogue import load_task
from ecdbench.tasks.datasets import ecd_fcc
from ecdbench.tasks.datasets.folder import DatasetFolder
from ecdbench.tasks.density.planes import PlaneSettings, slice_plane, view_origin
from ecdbench.tasks.density.structure_factors import StructureFactors
from ecdbench.tasks.density.volumes import density_grid, density_volume
from timing import best_of


def main() -> None:
    """Print sizes, errors and times."""
    dataset = DatasetFolder(ecd_fcc.PACKAGED, "")
    names = [column.name for column in dataset.facts.columns if column.role == "input"]
    names = [name for name in names if not name.startswith(("text", "formula"))]
    rows = dataset.rows(names)
    factors = {one: StructureFactors.from_cells(rows[one]) for one in rows}
    size = sum(path.stat().st_size for path in ecd_fcc.PACKAGED.iterdir()) / 2**20
    print(f"{len(factors)} crystals, {size:.1f} MiB")
    _errors(factors)
    _times(factors)


def _errors(factors: dict[str, StructureFactors]) -> None:
    found: dict[tuple[str, str], list[float]] = {}
    for one, stored in factors.items():
        path = _raw_file(one)
        if path is None:
            continue
        volume = read_volume(path)
        outside = outside_cores(volume)
        for channel, grid in volume.channels.items():
            if (spread := float(np.ptp(grid))) < 1e-6:
                continue
            difference = np.abs(density_grid(stored, channel, grid.shape) - grid)
            plane = slice_plane(stored, channel) - _plane_of_grid(volume, channel, stored)
            measured = {
                "volume, away from nuclei, RMS": np.sqrt((difference[outside] ** 2).mean()),
                "volume, away from nuclei, largest": difference[outside].max(),
                "volume, everywhere, RMS": np.sqrt((difference**2).mean()),
                "plane, RMS": np.sqrt((plane**2).mean()),
            }
            for name, value in measured.items():
                found.setdefault((channel, name), []).append(float(value) / spread)
        turned = slice_plane(stored, "total", PlaneSettings(rotation=120)) - slice_plane(stored, "total")
        found.setdefault(("total", "three-fold axis"), []).append(float(np.abs(turned).max()))
        lost = stored.electrons("total") - volume.meta["n_electrons"]
        found.setdefault(("total", "electrons"), []).append(abs(float(lost)))
    for (channel, name), values in sorted(found.items()):
        worst = f"worst {max(values):.1e} ({len(values)} crystals)"
        print(f"{channel:12} {name:36} median {np.median(values):.1e}, {worst}")


def _plane_of_grid(volume: Volume, channel: str, stored: StructureFactors) -> np.ndarray:
    """The default plane from every coefficient of the raw grid, independent of the code under test."""
    settings, cube = PlaneSettings(), stored.cube
    start, row, column = (vector @ cube for vector in settings.points())
    index = np.arange(settings.size)
    points = start + index[:, None, None] * row + index[None, :, None] * column + view_origin(stored, settings.origin)
    grid = volume.channels[channel].astype(float)
    spectrum, values = np.fft.fftn(grid) / grid.size, []
    for chunk in np.array_split(points.reshape(-1, 3), 60):
        waves = []
        for axis, count in enumerate(grid.shape):
            wave = np.exp(2j * np.pi * np.outer(chunk[:, axis], np.fft.fftfreq(count, 1 / count)))
            if count % 2 == 0:
                wave[:, count // 2] = np.cos(np.pi * count * chunk[:, axis])
            waves.append(wave)
        partial = (waves[2] @ spectrum.reshape(-1, spectrum.shape[2]).T).reshape(len(chunk), *spectrum.shape[:2])
        values.append(np.einsum("pab,pa,pb->p", partial, waves[0], waves[1], optimize=True).real)
    return np.concatenate(values).reshape(settings.size, settings.size)


def _times(factors: dict[str, StructureFactors]) -> None:
    made: dict[str, Any] = {"slice (at most 1 ms)": slice_plane, "32^3 volume (at most 2 ms)": density_volume}
    for name, make in made.items():
        seconds = [best_of(lambda s=stored, m=make: m(s, "total"), 5) for stored in list(factors.values())[::5]]
        print(f"{name}: median {np.median(seconds) * 1e3:.2f} ms, slowest {max(seconds) * 1e3:.2f} ms")
    started = time.perf_counter()
    data = load_task("ecd-fcc/k_vrh")
    print(f"open ecd-fcc/k_vrh (at most 1 s): {time.perf_counter() - started:.2f} s, {len(data.ids)} rows")
    started = time.perf_counter()
    data.table(data.ids)
    print(f"all its pictures and planes: {time.perf_counter() - started:.2f} s")


def _raw_file(sample_id: str) -> Path | None:
    data = Path(os.environ["ECDBENCH_DATA"])
    more = [Path(one) for one in os.environ.get("ECDBENCH_RAW", "").split(":") if one]
    folders = [data / "ecd-fcc", data / "ecd-fcc-more", *more]
    paths = (folder / "densities" / f"{sample_id}.npz" for folder in folders)
    return next((path for path in paths if path.exists()), None)
