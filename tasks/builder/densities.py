"""Charge densities on a periodic grid: the data model, and readers for three file formats."""

from __future__ import annotations

import contextlib
import gzip
import json
import warnings
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from ...benchmark.errors import DataError, MissingExtraError
from ..density.lattice import conventional_matrix

_ELEMENTS = 119  # atomic numbers are smaller
CHANNELS = ("total", "spin", "deformation")
# pymatgen calls the second block of a CHGCAR `diff`: spin up minus spin down.
_CHGCAR_CHANNELS = {"total": "total", "diff": "spin"}
# What the readers raise on damaged files and on files of another format.
READ_ERRORS = (
    KeyError, ValueError, IndexError, TypeError, AttributeError, EOFError, IsADirectoryError,
    zipfile.BadZipFile, zlib.error, gzip.BadGzipFile,
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
    """

    lattice: np.ndarray
    frac_coords: np.ndarray
    numbers: np.ndarray
    channels: dict[str, np.ndarray]
    meta: dict[str, Any]

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
    """Read an `.npz` of this project, a VASP CHGCAR, or a `.json.gz` of the Materials Project.

    Raises:
        DataError: the file is missing, truncated, or in another format.
        MissingExtraError: a CHGCAR or `.json.gz` without pymatgen.
    """
    if not path.exists():
        raise DataError(f"There is no density file {path}; give the path of a .npz, CHGCAR or .json.gz file.")
    try:
        if path.suffix == ".npz":
            volume = _read_npz(path)
        elif path.name.endswith(".json.gz"):
            volume = _read_json(path)
        else:
            volume = _read_chgcar(path)
    except READ_ERRORS as error:
        raise DataError(
            f"{path} cannot be read as a density ({type(error).__name__}); it is truncated or in another format: copy "
            "or download it again."
        ) from error
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


@contextlib.contextmanager
def elements_named(path: Path) -> Iterator[None]:
    """Refuse a POSCAR or CHGCAR without element symbols, for which pymatgen takes hydrogen, helium and so on.

    Raises:
        DataError: the file that is read in the block is one.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message="Elements in POSCAR cannot be determined")
        try:
            yield
        except UserWarning as error:
            raise DataError(f"{path} does not name its elements; add the line of their symbols.") from error


def file_version(path: Path | None) -> str:
    """A string that changes when a file is replaced: its path, size and modification time."""
    if path is None or not path.exists():
        return "absent"
    facts = path.stat()
    return f"{path} {facts.st_size} {facts.st_mtime_ns}"


def volume_from_chgcar(chgcar: Any) -> Volume:
    """The densities of a pymatgen `Chgcar`; its `diff` block, where present, is the spin density.

    Raises:
        DataError: the calculation is non-collinear.
    """
    if "diff_x" in chgcar.data:
        raise DataError("The calculation is non-collinear (four blocks), so it has no spin-up and spin-down density.")
    structure = chgcar.structure
    lattice = np.array(structure.lattice.matrix)
    scale = 1 / abs(np.linalg.det(lattice))  # a CHGCAR stores density times cell volume
    channels = {
        ours: np.asarray(chgcar.data[theirs]) * scale
        for theirs, ours in _CHGCAR_CHANNELS.items()
        if theirs in chgcar.data
    }
    numbers = np.array([site.specie.Z for site in structure])
    return Volume(lattice, np.array(structure.frac_coords), numbers, channels, {"formula": structure.formula})


def _read_npz(path: Path) -> Volume:
    with np.load(path, allow_pickle=False) as file:
        channels = {name: file[name] for name in CHANNELS if name in file.files}
        meta = json.loads(str(file["meta"])) if "meta" in file.files else {}
        channels["total"]  # required
        return Volume(file["lattice"], file["frac_coords"], file["numbers"], channels, meta)


def _read_json(path: Path) -> Volume:
    with gzip.open(path, "rt") as file:
        content = json.load(file)
    return volume_from_chgcar(_chgcar_class().from_dict(content.get("data", content)))


def _read_chgcar(path: Path) -> Volume:
    with elements_named(path):
        return volume_from_chgcar(_chgcar_class().from_file(str(path)))


def _chgcar_class() -> Any:
    try:
        from pymatgen.io.vasp import Chgcar
    except ImportError as error:
        raise MissingExtraError("Reading a CHGCAR", "build") from error
    return Chgcar
