"""Densities of one's own structures: compute what is missing in a pool, and keep what `build` reads."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from ...benchmark.errors import DataError, MissingExtraError
from ...benchmark.storage import write_atomically, write_text
from .assembly import Progress, write_failures
from .crystal import CrystalError
from .densities import READ_ERRORS, read_meta
from .dft import MISSING_GPAW, DftSettings, compute_density
from .row_jobs import run_jobs
from .row_store import Failure, Outcome, RowStore
from .structure_files import Request, read_structures
from .workers import open_pool

TABLE, DESCRIPTION = "properties.csv", "dataset.yaml"
# Angstrom, and fractions of the cell: beyond this two structures are not the same.
_SAME = 1e-4
# Columns of the property table, and the names of their values in a density's file.
_COMPUTED = {
    "band_gap [eV]": "band_gap_pbe_eV",
    "total_magnetization [muB]": "total_magnetization_muB",
    "fermi_energy [eV]": "fermi_eV",
}


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
        densities: how many of the densities that were asked for are there.
        failures: crystals without one, by kind of failure.
        retryable: how many of them may succeed at another try.
    """

    folder: Path
    densities: int
    failures: Mapping[str, int]
    retryable: int


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
        retry_failed: compute again what failed for good before.

    Raises:
        DataError: a structure cannot be read, or `out` holds the density of another structure of the same name, or a
            property table that cannot be read.
        MissingExtraError: GPAW is not installed.
        ServiceError: the cluster does not answer; finished densities are kept.
        OSError: the disk is full or not writable; finished densities are kept.
    """
    requests, settings = read_structures(structures), settings or DftSettings()
    densities, notes = out / "densities", RowStore(out / ".failed")
    known = _read_table(out / TABLE)
    failures: dict[str, Failure] = {}
    count = Counter(done=0)

    def unfinished() -> Iterator[Request]:
        for request in requests:
            path, key = densities / f"{request.id}.npz", _key(request, settings)
            if path.exists():
                _check_same_structure(path, request)
            elif notes.is_done(request.id, key, retry_failed) and (failure := notes.failure(request.id, key)):
                failures[request.id] = failure
            else:
                yield request
                continue
            count["done"] += 1
            progress(count["done"], len(requests), len(failures))

    def keep(request: Request, outcome: Outcome) -> None:
        content = outcome.row
        if content is not None:
            write_atomically(densities / f"{request.id}.npz", lambda path: path.write_bytes(content))
        elif outcome.failure is not None:
            failures[request.id] = outcome.failure
            notes.put(outcome, _key(request, settings))
        count["done"] += 1
        progress(count["done"], len(requests), len(failures))

    with open_pool(workers, scheduler) as pool:
        run_jobs(unfinished(), DensityJob(settings), pool, keep)
    _write_table(out, known)
    _write_description(out / DESCRIPTION, settings)
    write_failures(out / "failures.csv", dict(sorted(failures.items())))
    found = sum((densities / f"{request.id}.npz").exists() for request in requests)
    retryable = sum(failure.retryable for failure in failures.values())
    return Computed(out, found, Counter(failure.kind for failure in failures.values()), retryable)


def _key(request: Request, settings: DftSettings) -> str:
    """A hash of what a calculation depends on."""
    parts = [request.structure, asdict(settings)]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:12]


def _check_same_structure(path: Path, request: Request) -> None:
    from pymatgen.core import Structure

    structure = Structure.from_dict(dict(request.structure))
    try:
        with np.load(path, allow_pickle=False) as file:
            lattice, numbers, coordinates = file["lattice"], file["numbers"], file["frac_coords"]
    except (OSError, *READ_ERRORS) as error:
        raise DataError(f"{path} is damaged ({type(error).__name__}); delete it to compute it again.") from error
    same = list(structure.atomic_numbers) == numbers.tolist() and np.allclose(
        lattice, structure.lattice.matrix, atol=_SAME, rtol=0
    )
    if same:
        apart = coordinates - structure.frac_coords
        same = bool(np.abs(apart - apart.round()).max() < _SAME)
    if not same:
        raise DataError(f"{path} is the density of another structure than {request.id} now has; give another --out.")


def _read_table(path: Path) -> dict[str, dict[str, str]]:
    """The rows of an earlier property table by id, with the columns that its owner may have added."""
    if not path.exists():
        return {}
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            header, *lines = [row for row in csv.reader(file, strict=True) if row]
        rows = {line[header.index("id")]: dict(zip(header, line, strict=True)) for line in lines}
    except (UnicodeError, csv.Error, ValueError, IndexError) as error:
        raise DataError(
            f"{path} is not a CSV table in UTF-8 with a column id and a cell for each column; correct it, or move it "
            "away."
        ) from error
    if len(rows) < len(lines) or len(set(header)) < len(header):
        raise DataError(f"{path} has an id or a column more than once; correct it, or move it away.")
    return rows


def _write_table(out: Path, known: Mapping[str, dict[str, str]]) -> None:
    """A row for each density of the folder; what its owner wrote is kept: columns, rows, and values instead of ours."""
    rows = {one: dict(row) for one, row in known.items()}
    owned = [name for row in known.values() for name in row]
    plain = {_without_unit(name) for name in owned}
    ours = {column: name for column, name in _COMPUTED.items() if column in owned or _without_unit(column) not in plain}
    for path in sorted((out / "densities").glob("[!.]*.npz")):
        try:
            meta = read_meta(path)
        except DataError:  # not ours; `build` says so where it is asked for
            continue
        row = rows.setdefault(path.stem, {"id": path.stem, "formula": meta.get("formula", "")})
        for column, name in ours.items():
            if name in meta and not row.get(column):
                row[column] = repr(meta[name])
    header = dict.fromkeys(["id", "formula", *ours, *owned])
    text = io.StringIO()
    writer = csv.DictWriter(text, list(header), restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows[one] for one in sorted(rows))
    write_text(out / TABLE, text.getvalue())


def _without_unit(column: str) -> str:
    return column.partition("[")[0].strip()


def _write_description(path: Path, settings: DftSettings) -> None:
    """A description for `build`, unless its owner wrote one: crystals of any lattice, all three channels."""
    if not path.exists():
        write_text(
            path,
            "title: densities computed with ecdbench\n"
            f"provenance: GPAW, PBE, plane waves {settings.cutoff:g} eV\n"
            "channels: [total, spin, deformation]\n"
            "lattice: any  # or fcc, for planes and pictures of cubic F-centred crystals\n",
        )
