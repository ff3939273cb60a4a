"""Gaussian cube and XCrySDen xsf files, which Quantum ESPRESSO, CP2K, GPAW and others write: one grid in e/Bohr^3."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from scipy import constants, fft

from ...benchmark.errors import DataError
from .number_lines import read_numbers

BOHR = constants.value("Bohr radius") / constants.angstrom
# Differences of what is the same up to rounding, relative.
_ROUNDING = 1e-5
_SEVERAL = "holds more than one grid; write the total density alone."


def read_cube(lines: Iterator[bytes], where: str) -> tuple[Any, np.ndarray]:
    """The pymatgen `Structure` of a cube file, whose cell is what the grid spans, and its density, e/A^3.

    Raises:
        DataError: it holds several grids; begins with `where`.
        EOFError, StopIteration, ValueError: it is truncated or in another format.
    """
    next(lines), next(lines)  # titles
    count, *start = next(lines).split()
    axes = np.array([next(lines).split() for _ in range(3)], dtype=float)
    sites = np.array([next(lines).split() for _ in range(abs(int(count)))], dtype=float)
    is_labelled = int(count) < 0  # a line says how many fields there are, and names them
    fields = int(next(lines).split()[0]) if is_labelled else int(start[3]) if len(start) > 3 else 1
    if fields != 1:
        raise DataError(f"{where} {_SEVERAL}")
    unit = 1.0 if axes[0, 0] < 0 else BOHR  # negative counts of points mean Angstrom
    shape, steps = np.abs(axes[:, 0]).astype(int), axes[:, 1:] * unit
    grid = read_numbers(lines, math.prod(shape.tolist())).reshape(shape)
    if any(line.strip() for line in lines):
        raise DataError(f"{where} {_SEVERAL}")
    if _repeats_ends(grid):  # as CASTEP and some versions of Quantum ESPRESSO write it
        grid = grid[:-1, :-1, :-1]
    lattice = steps * np.array(grid.shape)[:, None]
    structure = _structure(lattice, sites[:, 0].astype(int), sites[:, 2:5] * unit)
    return structure, _density(grid, lattice, np.array(start[:3], dtype=float) * unit)


def read_xsf(lines: Iterator[bytes], where: str) -> tuple[Any, np.ndarray]:
    """The pymatgen `Structure` of an xsf file, and its density, e/A^3.

    Raises:
        DataError: it has no crystal or no grid, or several, or a grid that does not span the unit cell; begins with
            `where`.
        EOFError, StopIteration, ValueError: it is truncated or in another format.
    """
    lines = (line for line in lines if line.strip() and not line.lstrip().startswith(b"#"))
    found: dict[str, list[Any]] = {"PRIMVEC": [], "PRIMCOORD": [], "DATAGRID_3D": []}
    for line in lines:
        word = line.split()[0].decode(errors="replace").upper().removeprefix("BEGIN_")
        if word == "PRIMVEC":
            found[word].append(read_numbers(lines, 9).reshape(3, 3))
        elif word == "PRIMCOORD":
            found[word].append([next(lines).split() for _ in range(int(next(lines).split()[0]))])
        elif word.startswith("DATAGRID_3D"):
            found["DATAGRID_3D"].append(_read_datagrid(lines))
    if any(len(parts) > 1 for parts in found.values()):
        raise DataError(f"{where} {_SEVERAL}")
    if missing := [name for name, parts in found.items() if not parts]:
        raise DataError(f"{where} has no {missing[0]}; write the crystal and the grid of its density.")
    lattice, sites, (grid, start, spans) = (parts[0] for parts in found.values())
    structure = _structure(lattice, [_atomic_number(site[0]) for site in sites], [site[1:4] for site in sites])
    within = _within_cell(grid, spans @ np.linalg.inv(lattice))
    if within is None:
        raise DataError(f"{where} has a grid that does not span its unit cell (PRIMVEC); write that of the whole cell.")
    return structure, _density(within, lattice, start)


def _read_datagrid(lines: Iterator[bytes]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The values of an xsf grid, its first point and the vectors it spans, A."""
    shape = [int(word) for word in next(lines).split()]
    start, *spans = read_numbers(lines, 12).reshape(4, 3)
    grid = read_numbers(lines, math.prod(shape)).reshape(shape, order="F")
    if not next(lines).split()[0].upper().startswith(b"END_DATAGRID_3D"):
        raise ValueError("more numbers than stated")
    return grid, start, np.array(spans)


def _within_cell(grid: np.ndarray, spans: np.ndarray) -> np.ndarray | None:
    """The grid without repeated end points; `spans` are its vectors in units of the cell's. None if it has other ones.

    By its definition an xsf grid spans the cell and repeats its first points as the last ones. Programs also write the
    points of the cell once, with the vectors of the cell, or with those shorter (as defined) or longer (ASE) by a step.
    """
    counts = np.array(grid.shape)
    for share in (1, (counts - 1) / counts, (counts + 1) / counts):
        if np.allclose(spans, np.eye(3) * share, atol=0.1 / counts.max()):
            return grid[:-1, :-1, :-1] if np.isscalar(share) and _repeats_ends(grid) else grid
    return None


def _repeats_ends(grid: np.ndarray) -> bool:
    """Whether the last points in every direction are the first ones again."""
    faces = [(grid.take(0, axis), grid.take(-1, axis)) for axis in range(3)]
    return all(first.any() and np.abs(first - last).max() <= _ROUNDING * np.abs(first).max() for first, last in faces)


def _density(grid: np.ndarray, lattice: np.ndarray, start: np.ndarray) -> np.ndarray:
    """Values in e/Bohr^3 from a point `start` (A) on, as values in e/A^3 from the cell's origin on."""
    density = grid / BOHR**3
    shift = start @ np.linalg.inv(lattice)
    if not shift.any():
        return density
    x, y, z = (np.exp(-2j * np.pi * shift[axis] * fft.fftfreq(n, 1 / n)) for axis, n in enumerate(grid.shape))
    return fft.ifftn(fft.fftn(density) * x[:, None, None] * y[:, None] * z).real


def _structure(lattice: np.ndarray, numbers: Sequence[int] | np.ndarray, positions: Any) -> Any:
    from pymatgen.core import Structure

    places = np.array(positions, dtype=float)
    return Structure(lattice, [int(number) for number in numbers], places, coords_are_cartesian=True)


def _atomic_number(label: bytes) -> int:
    """Of a site of an xsf file: a number, or a symbol that may have a number of its own, as in Fe2."""
    from pymatgen.core import Element

    text = label.decode(errors="replace")
    symbol = re.match(r"[A-Za-z]{0,2}", text)
    return Element(symbol[0].capitalize()).Z if symbol and symbol[0] else int(text)
