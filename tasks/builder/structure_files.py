"""Structures to compute, from the files that people have."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...benchmark.errors import DataError, MissingExtraError
from ...benchmark.unpacking import kind_of, open_unpacked, plain_name
from .crystal import CrystalError, check_id, check_sites
from .vasp_files import read_poscar

_SUFFIXES = (".cif", ".vasp", ".poscar", ".json")


@dataclass(frozen=True)
class Request:
    """A structure to compute.

    Attributes:
        id: names its files.
        structure: as a pymatgen structure dict.
    """

    id: str
    structure: Mapping[str, Any]


def read_structures(path: Path) -> list[Request]:
    """Structures to compute, sorted by id.

    Args:
        path: a structure file (CIF, POSCAR or pymatgen JSON), a folder of them, each named by its id, or a JSON file
            with pymatgen structures, or objects that hold one as `structure`, by id. Each may be compressed.

    Raises:
        DataError: there is none, or one cannot be read.
        MissingExtraError: pymatgen is not installed.
    """
    if importlib.util.find_spec("pymatgen") is None:
        raise MissingExtraError("Reading structures", "dft")
    if path.is_dir():
        files = sorted(one for one in path.iterdir() if kind_of(one) in _SUFFIXES or one.name.startswith("POSCAR"))
        found = {_id_of(one): _read_structure(one) for one in files}
        if len(found) < len(files):
            raise DataError(f"{path} has two structure files of one name; keep one of each.")
    elif path.is_file():
        several = _read_several(path) if kind_of(path) == ".json" else None
        found = several if several is not None else {_id_of(path): _read_structure(path)}
    else:
        raise DataError(f"There is no {path}; give a structure file, a folder of them, or a JSON file of structures.")
    if not found:
        raise DataError(f"{path} holds no structure; give files named ID.cif, ID.vasp or ID.json.")
    for sample_id, structure in found.items():
        check_id(sample_id, path)
        if not structure.is_ordered:
            raise DataError(f"{path}: {sample_id} has partially occupied sites; give an ordered structure.")
        try:
            check_sites(structure)
        except CrystalError as error:
            raise DataError(f"{path}: {sample_id}: {error}.") from error
    return [Request(sample_id, found[sample_id].as_dict()) for sample_id in sorted(found)]


def _id_of(path: Path) -> str:
    name = plain_name(path)
    return name.removeprefix("POSCAR").lstrip("._-") if name.startswith("POSCAR") else Path(name).stem


def _read_structure(path: Path) -> Any:
    from pymatgen.core import Structure

    try:
        with open_unpacked(path) as file:
            text = file.read()
        if kind_of(path) == ".json":
            return Structure.from_dict(json.loads(text))
        if kind_of(path) == ".cif":
            return Structure.from_str(text.decode(errors="replace"), fmt="cif")
        return read_poscar(text, str(path))
    except DataError:
        raise
    except Exception as error:
        raise DataError(
            f"{path} cannot be read as a structure ({type(error).__name__}); give a CIF, POSCAR or pymatgen JSON file."
        ) from error


def _read_several(path: Path) -> dict[str, Any] | None:
    """The structures of a JSON file by id; None where it is a single one."""
    from pymatgen.core import Structure

    try:
        with open_unpacked(path) as file:
            content = json.load(file)
        if "lattice" in content:
            return None
        return {one: Structure.from_dict(entry.get("structure", entry)) for one, entry in content.items()}
    except DataError:
        raise
    except Exception as error:
        raise DataError(
            f"{path} cannot be read as structures ({type(error).__name__}); give pymatgen structures by id."
        ) from error
