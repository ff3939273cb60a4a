"""Volumetric densities: what they are, and the three file forms they come in."""

from __future__ import annotations

import gzip
import json
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...benchmark.errors import DataError, MissingExtraError

CHANNELS = ("total", "spin", "deformation")
# pymatgen names the second block of a CHGCAR `diff`: spin up minus spin down.
_CHGCAR_CHANNELS = {"total": "total", "diff": "spin"}


# What the readers raise on files that are damaged or of another kind.
UNREADABLE = (
    KeyError, ValueError, IndexError, TypeError, AttributeError, EOFError, IsADirectoryError,
    zipfile.BadZipFile, zlib.error, gzip.BadGzipFile,
)  # fmt: skip


@dataclass(frozen=True)
class Volume:
    """Densities of one crystal on the periodic grid of its cell.

    Attributes:
        lattice: cell vectors as rows, shape (3, 3), Angstrom.
        frac_coords: sites in fractions of the cell vectors, shape (n, 3).
        numbers: atomic numbers, shape (n,).
        channels: arrays of shape (n1, n2, n3), e/A^3, end points excluded, by density channel.
        meta: what the file says about its calculation.
    """

    lattice: np.ndarray
    frac_coords: np.ndarray
    numbers: np.ndarray
    channels: dict[str, np.ndarray]
    meta: dict[str, Any]

    @property
    def cell_volume(self) -> float:
        """Volume of the cell, A^3."""
        return float(abs(np.linalg.det(self.lattice)))

    def structure(self) -> dict[str, Any]:
        """The crystal as a pymatgen Structure dict."""
        try:
            from pymatgen.core import Structure
        except ImportError as error:
            raise MissingExtraError("Building a dataset", "build") from error
        return Structure(self.lattice, self.numbers.tolist(), self.frac_coords).as_dict()

    def integral(self, channel: str) -> float:
        """The integral of one channel over the cell, in electrons."""
        return float(self.channels[channel].mean(dtype=np.float64) * self.cell_volume)


def read_volume(path: Path) -> Volume:
    """Read an `.npz` of this project, a VASP CHGCAR, or the Materials Project's `.json.gz`.

    Raises:
        DataError: the file is absent, truncated, or not of one of these forms.
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
    except UNREADABLE as error:
        raise DataError(
            f"{path} cannot be read as a density ({type(error).__name__}: {error}); "
            "it is truncated or of another form: copy or download it again."
        ) from error
    check_volume(volume, str(path))
    return volume


def file_state(path: Path | None) -> str:
    """A text that changes when a file is replaced: its place, size and time."""
    if path is None or not path.exists():
        return "absent"
    facts = path.stat()
    return f"{path} {facts.st_size} {facts.st_mtime_ns}"


def check_volume(volume: Volume, where: str) -> None:
    """Refuse what is no density of a crystal on one grid. Raises DataError that begins with `where`."""
    arrays = [volume.lattice, volume.frac_coords, *volume.channels.values()]
    real = all(array.dtype.kind in "fiu" and np.isfinite(array).all() for array in arrays)
    grids = {grid.shape for grid in volume.channels.values()}
    sites = len(volume.numbers)
    shaped = volume.lattice.shape == (3, 3) and volume.frac_coords.shape == (sites, 3) and sites > 0
    if not real or not shaped or len(grids) != 1 or len(grid := grids.pop()) != 3 or min(grid) < 2:
        raise DataError(f"{where} holds a density that is not finite or not on one grid, or no crystal; copy it again.")


def _read_npz(path: Path) -> Volume:
    with np.load(path, allow_pickle=False) as file:
        channels = {name: file[name] for name in CHANNELS if name in file.files}
        meta = json.loads(str(file["meta"])) if "meta" in file.files else {}
        channels["total"]
        return Volume(file["lattice"], file["frac_coords"], file["numbers"], channels, meta)


def _read_json(path: Path) -> Volume:
    with gzip.open(path, "rt") as file:
        content = json.load(file)
    return from_chgcar(_chgcar_class().from_dict(content.get("data", content)))


def _read_chgcar(path: Path) -> Volume:
    return from_chgcar(_chgcar_class().from_file(str(path)))


def _chgcar_class() -> Any:
    try:
        from pymatgen.io.vasp import Chgcar
    except ImportError as error:
        raise MissingExtraError("Reading a CHGCAR", "build") from error
    return Chgcar


def from_chgcar(chgcar: Any) -> Volume:
    """The densities of a pymatgen `Chgcar`; its `diff`, where it has one, is the spin density."""
    if "diff_x" in chgcar.data:
        raise DataError("It is a non-collinear calculation (four blocks), which has no spin up and spin down.")
    structure = chgcar.structure
    lattice = np.array(structure.lattice.matrix)
    scale = 1 / abs(np.linalg.det(lattice))  # a CHGCAR holds density times volume
    channels = {
        ours: np.asarray(chgcar.data[theirs]) * scale
        for theirs, ours in _CHGCAR_CHANNELS.items()
        if theirs in chgcar.data
    }
    numbers = np.array([site.specie.Z for site in structure])
    return Volume(lattice, np.array(structure.frac_coords), numbers, channels, {"formula": structure.formula})
