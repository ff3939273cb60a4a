"""Charge densities on a periodic grid: the data model, and what files of any format are read as."""

from __future__ import annotations

import gzip
import json
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from ...benchmark.errors import DataError, MissingExtraError
from ...benchmark.unpacking import kind_of, most_unpacked, open_unpacked, refuse_unpacking
from ..density.lattice import conventional_matrix
from .grid_files import read_cube, read_xsf
from .vasp_files import read_chgcar, read_chgcar_json

_ELEMENTS = 119  # atomic numbers are smaller
CHANNELS = ("total", "spin", "deformation")
# Formats with a single density.
_ONE_GRID = {".cube": read_cube, ".xsf": read_xsf}
# pymatgen calls the second block of a CHGCAR `diff`: spin up minus spin down.
_CHGCAR_CHANNELS = {"total": "total", "diff": "spin"}
# What the readers raise on damaged files and on files of another format.
READ_ERRORS = (
    KeyError, ValueError, IndexError, TypeError, AttributeError, EOFError, IsADirectoryError, StopIteration,
    RecursionError, zipfile.BadZipFile, zlib.error, gzip.BadGzipFile,
)  # fmt: skip


@dataclass(frozen=True)
class Volume:
    """Charge densities of one crystal on the periodic grid of its unit cell.

    Attributes:
        lattice: cell vectors as rows, shape (3, 3), Angstrom.
        frac_coords: fractional coordinates of the sites, shape (n, 3).
        numbers: atomic numbers, shape (n,).
        channels: density by channel, each of shape (n1, n2, n3) without the periodic end points, e/A^3.
        meta: metadata of the calculation, as stored in the file.
        spin_unknown: why the spin density cannot be told. Without it, and without a spin channel, it is 0 everywhere.
    """

    lattice: np.ndarray
    frac_coords: np.ndarray
    numbers: np.ndarray
    channels: dict[str, np.ndarray]
    meta: dict[str, Any]
    spin_unknown: str = ""

    @property
    def cell_volume(self) -> float:
        """Volume of the unit cell, A^3."""
        return float(abs(np.linalg.det(self.lattice)))

    @cached_property
    def cube_matrix(self) -> np.ndarray:
        """The `conventional_matrix` of the cell. Raises DataError where it is not F-centred cubic."""
        return conventional_matrix(self.lattice)

    @cached_property
    def structure(self) -> Any:
        """The crystal as a pymatgen `Structure`. Raises MissingExtraError without pymatgen."""
        try:
            from pymatgen.core import Structure
        except ImportError as error:
            raise MissingExtraError("Building a dataset", "build") from error
        return Structure(self.lattice, self.numbers.tolist(), self.frac_coords)

    def integral(self, channel: str) -> float:
        """Integral of one channel over the unit cell, in electrons."""
        return float(self.channels[channel].mean(dtype=np.float64) * self.cell_volume)


def read_volume(path: Path) -> Volume:
    """Read an `.npz` of this project, a Gaussian `.cube`, an XCrySDen `.xsf`, a pymatgen `.json` of a CHGCAR, or, by
    any other name, a CHGCAR of VASP; all but the first may be compressed.

    Raises:
        DataError: the file is missing, truncated, or in another format.
        MissingExtraError: a format other than `.npz` without pymatgen.
    """
    if not path.exists():
        raise DataError(f"There is no density file {path}; give the path of a CHGCAR, cube, xsf, json or npz file.")
    try:
        volume = _read(path)
    except READ_ERRORS as error:
        raise DataError(
            f"{path} cannot be read as a density ({type(error).__name__}); it is truncated or in another format: copy "
            "or download it again."
        ) from error
    except ImportError as error:
        raise MissingExtraError(f"Reading {path.name}", "build") from error
    check_volume(volume, str(path))
    return volume


def read_meta(path: Path) -> dict[str, Any]:
    """The metadata of the calculation in an `.npz` of this project, without its grids; empty where it has none.

    Raises:
        DataError: the file is damaged.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            return json.loads(str(file["meta"])) if "meta" in file.files else {}
    except (OSError, *READ_ERRORS) as error:
        raise DataError(f"{path} cannot be read as a density ({type(error).__name__}); copy it again.") from error


def check_volume(volume: Volume, where: str) -> None:
    """Reject arrays that do not describe densities of a crystal on one grid.

    Raises:
        DataError: they do not; the message begins with `where`.
    """
    arrays = [volume.lattice, volume.frac_coords, *volume.channels.values()]
    real = all(array.dtype.kind in "fiu" and np.isfinite(array).all() for array in arrays)
    grids = {grid.shape for grid in volume.channels.values()}
    sites = len(volume.numbers)
    real &= volume.numbers.dtype.kind in "iu" and bool(((volume.numbers > 0) & (volume.numbers < _ELEMENTS)).all())
    shaped = volume.lattice.shape == (3, 3) and volume.frac_coords.shape == (sites, 3) and sites > 0
    if not real or not shaped or len(grids) != 1 or len(grid := grids.pop()) != 3 or min(grid) < 2:
        raise DataError(
            f"{where} holds no crystal, or densities that are not finite or not on one grid; copy the file again."
        )


def file_version(path: Path | None) -> str:
    """A string that changes when a file is replaced: its path, size and modification time."""
    if path is None or not path.exists():
        return "absent"
    facts = path.stat()
    return f"{path} {facts.st_size} {facts.st_mtime_ns}"


def volume_from_chgcar(structure: Any, blocks: Mapping[str, np.ndarray]) -> Volume:
    """The densities of a pymatgen `Structure` and the blocks of its CHGCAR, density times cell volume in electrons, by
    pymatgen's names; its `diff`, where present, is the spin density.
    """
    unknown = "the calculation is non-collinear, so it has no spin-up and spin-down density"
    if "diff_x" in blocks:
        return _volume(structure, {"total": np.asarray(blocks["total"]) / structure.volume}, unknown)
    channels = {ours: np.asarray(blocks[theirs]) for theirs, ours in _CHGCAR_CHANNELS.items() if theirs in blocks}
    return _volume(structure, {name: values / structure.volume for name, values in channels.items()})


def _volume(structure: Any, channels: dict[str, np.ndarray], spin_unknown: str = "") -> Volume:
    numbers = np.array([site.specie.Z for site in structure])
    lattice, places = np.array(structure.lattice.matrix), np.array(structure.frac_coords)
    channels["total"]  # required
    return Volume(lattice, places, numbers, channels, {"formula": structure.formula}, spin_unknown)


def _read(path: Path) -> Volume:
    kind = kind_of(path)
    if kind == ".npz":
        return _read_npz(path)
    with open_unpacked(path) as file:
        if kind == ".json":
            return volume_from_chgcar(*read_chgcar_json(file))
        if kind not in _ONE_GRID:
            return volume_from_chgcar(*read_chgcar(file, str(path)))
        structure, density = _ONE_GRID[kind](file, str(path))
    unknown = f"a {kind[1:]} file holds the total density alone"
    return _volume(structure, {"total": density}, unknown)


def _read_npz(path: Path) -> Volume:
    with zipfile.ZipFile(path) as archive:
        if sum(member.file_size for member in archive.infolist()) > most_unpacked(path):
            raise refuse_unpacking(path)
    with np.load(path, allow_pickle=False) as file:
        channels = {name: file[name] for name in CHANNELS if name in file.files}
        meta = json.loads(str(file["meta"])) if "meta" in file.files else {}
        channels["total"]  # required
        return Volume(file["lattice"], file["frac_coords"], file["numbers"], channels, meta)
