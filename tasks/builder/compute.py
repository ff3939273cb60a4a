"""Densities of one's own structures: read them, compute what is missing in a pool, and keep what `build` reads."""

from __future__ import annotations

import csv
import gzip
import io
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...benchmark.errors import DataError, MissingExtraError
from ...benchmark.storage import write_atomically, write_json, write_text
from .crystal import CrystalError
from .densities import read_meta
from .dft import MISSING_GPAW, DftSettings, compute_density
from .row_jobs import run_jobs
from .row_store import Failure, Outcome
from .workers import open_pool

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")
_SUFFIXES = (".cif", ".vasp", ".poscar", ".json")
# Angstrom, and fractions of the cell: beyond this two structures are not the same.
_SAME = 1e-4
_DESCRIPTION = """title: densities computed with ecdbench
provenance: GPAW, PBE, plane waves 600 eV, as ecd-fcc
channels: [total, spin, deformation]
"""
# Called with crystals done, crystals in all, and crystals failed.
Progress = Callable[[int, int, int], None]


@dataclass(frozen=True)
class Request:
    """A structure to compute.

    Attributes:
        id: names its files.
        structure: as a pymatgen structure dict.
    """

    id: str
    structure: Mapping[str, Any]


@dataclass(frozen=True)
class DensityJob:
    """The calculation of one density. It is pickled and sent to the workers."""

    settings: DftSettings

    def __call__(self, request: Request) -> Outcome:
        """Compute one density; what concerns this crystal alone is returned as a failure.

        Raises:
            MissingExtraError: GPAW is not installed where the worker runs.
        """
        try:
            return Outcome(request.id, compute_density(request.id, dict(request.structure), self.settings))
        except CrystalError as error:
            if error.kind == MISSING_GPAW:
                raise MissingExtraError("Computing densities", "dft") from error
            return Outcome(request.id, None, Failure(error.kind, str(error)))


@dataclass(frozen=True)
class Computed:
    """How it ended.

    Attributes:
        folder: what was written to.
        densities: number of densities that are there.
        failures: crystals without one, by kind of failure.
    """

    folder: Path
    densities: int
    failures: Mapping[str, int]


def compute_densities(
    structures: Path,
    out: Path,
    *,
    workers: int = 1,
    scheduler: str | None = None,
    settings: DftSettings | None = None,
    progress: Progress = lambda done, total, failed: None,
    retry_failed: bool = False,
) -> Computed:
    """Compute the densities that `out` does not hold yet, as `densities/ID.npz`; each is kept when it is finished.

    Args:
        structures: as `read_structures` says.
        out: a folder that `build` reads afterwards.
        workers: number of processes on this machine.
        scheduler: address of a Dask scheduler whose workers are used instead.
        settings: of the calculations; those of `ecd-fcc` by default.
        progress: told how far it is.
        retry_failed: compute again what failed before.

    Raises:
        DataError: a structure cannot be read, or `out` holds the density of another structure of the same name.
        MissingExtraError: GPAW is not installed.
        ServiceError: the cluster does not answer; finished densities are kept.
    """
    requests = read_structures(structures)
    densities, failed = out / "densities", out / "failed"
    failures: dict[str, Failure] = {}
    count = Counter(done=0)

    def unfinished() -> Iterator[Request]:
        for request in requests:
            if (path := densities / f"{request.id}.npz").exists():
                _check_same_structure(path, request)
            elif not retry_failed and (failure := _failure(failed / f"{request.id}.json")):
                failures[request.id] = failure
            else:
                yield request
                continue
            count["done"] += 1
            progress(count["done"], len(requests), len(failures))

    def keep(request: Request, outcome: Outcome) -> None:
        note, content = failed / f"{request.id}.json", outcome.row
        if content is not None:
            write_atomically(densities / f"{request.id}.npz", lambda path: path.write_bytes(content))
            note.unlink(missing_ok=True)
        elif outcome.failure is not None:
            failures[request.id] = outcome.failure
            write_json(note, vars(outcome.failure))
        count["done"] += 1
        progress(count["done"], len(requests), len(failures))

    with open_pool(workers, scheduler) as pool:
        run_jobs(unfinished(), DensityJob(settings or DftSettings()), pool, keep)
    _write_tables(out, [request.id for request in requests], failures)
    found = sum((densities / f"{request.id}.npz").exists() for request in requests)
    return Computed(out, found, Counter(failure.kind for failure in failures.values()))


def read_structures(path: Path) -> list[Request]:
    """Structures to compute, sorted by id.

    Args:
        path: a structure file (CIF, POSCAR or pymatgen JSON), a folder of them, each named by its id, or a JSON file
            (also gzipped) with pymatgen structures, or objects that hold one as `structure`, by id.

    Raises:
        DataError: there is none, or one cannot be read.
        MissingExtraError: pymatgen is not installed.
    """
    try:
        from pymatgen.core import Structure
    except ImportError as error:
        raise MissingExtraError("Reading structures", "dft") from error
    if path.is_dir():
        files = sorted(
            one for one in path.iterdir() if one.suffix.lower() in _SUFFIXES or one.name.startswith("POSCAR")
        )
        found = {_id_of(one): _read_structure(one) for one in files}
        if len(found) < len(files):
            raise DataError(f"{path} has two structure files of one name; keep one of each.")
    elif path.is_file():
        several = _read_several(path) if ".json" in path.suffixes else None
        found = several if several is not None else {_id_of(path): _read_structure(path)}
    else:
        raise DataError(f"There is no {path}; give a structure file, a folder of them, or a JSON file of structures.")
    if not found:
        raise DataError(f"{path} holds no structure; give files named ID.cif, ID.vasp or ID.json.")
    for sample_id, structure in found.items():
        if not _ID.fullmatch(sample_id):
            raise DataError(f"{path} has the id '{sample_id}'; ids consist of letters, digits, hyphens, dots and _.")
        if not structure.is_ordered:
            raise DataError(f"{path}: {sample_id} has partially occupied sites; give an ordered structure.")
    assert all(isinstance(structure, Structure) for structure in found.values())
    return [Request(sample_id, found[sample_id].as_dict()) for sample_id in sorted(found)]


def _id_of(path: Path) -> str:
    return path.name.removeprefix("POSCAR").lstrip("._-") if path.name.startswith("POSCAR") else path.stem


def _read_structure(path: Path) -> Any:
    from pymatgen.core import Structure
    from pymatgen.io.vasp import Poscar

    try:
        if path.suffix.lower() == ".json":
            return Structure.from_dict(json.loads(path.read_text(encoding="utf-8")))
        return Structure.from_file(path) if path.suffix.lower() == ".cif" else Poscar.from_file(path).structure
    except Exception as error:
        raise DataError(
            f"{path} cannot be read as a structure ({type(error).__name__}); give a CIF, POSCAR or pymatgen JSON file."
        ) from error


def _read_several(path: Path) -> dict[str, Any] | None:
    """The structures of a JSON file by id; None where it is a single one."""
    from pymatgen.core import Structure

    try:
        packed = path.read_bytes()
        content = json.loads(gzip.decompress(packed) if path.suffix == ".gz" else packed)
        if "lattice" in content:
            return None
        return {one: Structure.from_dict(entry.get("structure", entry)) for one, entry in content.items()}
    except Exception as error:
        raise DataError(
            f"{path} cannot be read as structures ({type(error).__name__}); give pymatgen structures by id."
        ) from error


def _check_same_structure(path: Path, request: Request) -> None:
    from pymatgen.core import Structure

    structure = Structure.from_dict(dict(request.structure))
    try:
        with np.load(path, allow_pickle=False) as file:
            lattice, numbers, coordinates = file["lattice"], file["numbers"], file["frac_coords"]
    except (OSError, ValueError, KeyError, EOFError) as error:
        raise DataError(f"{path} is damaged ({type(error).__name__}); delete it to compute it again.") from error
    same = list(structure.atomic_numbers) == numbers.tolist() and np.allclose(
        lattice, structure.lattice.matrix, atol=_SAME, rtol=0
    )
    if same:
        apart = coordinates - structure.frac_coords
        same = bool(np.abs(apart - apart.round()).max() < _SAME)
    if not same:
        raise DataError(f"{path} is the density of another structure than {request.id} now has; give another --out.")


def _failure(path: Path) -> Failure | None:
    try:
        return Failure(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def _write_tables(out: Path, ids: list[str], failures: Mapping[str, Failure]) -> None:
    """The property table and description that `build` reads, and the reasons of failures."""
    table = [["id", "formula", "band_gap [eV]", "total_magnetization [muB]", "fermi_energy [eV]"]]
    for one in ids:
        path = out / "densities" / f"{one}.npz"
        if path.exists():
            meta = read_meta(path)
            numbers = (meta["band_gap_pbe_eV"], meta["total_magnetization_muB"], meta["fermi_eV"])
            table.append([one, meta["formula"], *(repr(number) for number in numbers)])
    write_text(out / "properties.csv", _csv(table))
    if not (out / "dataset.yaml").exists():
        write_text(out / "dataset.yaml", _DESCRIPTION)
    if failures:
        rows = [[one, failure.kind, failure.reason] for one, failure in sorted(failures.items())]
        write_text(out / "failures.csv", _csv([["id", "kind", "reason"], *rows]))
    else:
        (out / "failures.csv").unlink(missing_ok=True)


def _csv(rows: list[list[str]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()
