"""The raw folders from which `ecd-fcc` is built: densities, and a table of known values."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...benchmark.errors import DataError
from ...benchmark.task import SPLITS
from ..datasets.ecd_fcc import FACTS, TABULATED
from ..datasets.folder import DatasetFolder
from ..datasets.moduli import BULK, SHEAR, is_physical
from .assembly import Plan
from .blueprint import Blueprint
from .crystal import BROKEN_DENSITY, Crystal, CrystalError, check_id
from .densities import Volume, file_version, read_meta, read_volume
from .descriptions import structure_hash

# The densities integrate to the number of valence electrons; a larger deviation means a damaged file.
_ELECTRON_TOLERANCE = 1e-3
TABLE = "known_values.csv"

# The sources of a value in the order in which they are asked; a modulus that no stable crystal
# has is passed over. Formation
# energies come from one source, since those of others are on other scales of energy.
_SOURCES = {
    "k_vrh": ("paper", "elastic_tensor_2015", "mp_6059"),
    "g_vrh": ("paper", "elastic_tensor_2015", "mp_6059"),
    "formation_energy_per_atom": ("paper",),
    "band_gap_mp": ("paper", "dielectric_constant", "megnet_pbe"),
}
# What is computed with a density, by its name in the density's file.
_COMPUTED = {
    "band_gap": "band_gap_pbe_eV",
    "total_magnetization": "total_magnetization_muB",
    "fermi_energy": "fermi_eV",
    "energy_rel_atoms": "energy_rel_atoms_eV",
}


@dataclass(frozen=True)
class RawFolders:
    """Densities as `densities/ID.npz` in one of several folders."""

    folders: tuple[Path, ...]

    def density(self, crystal: Crystal) -> Volume:
        """Read one density and check its electron count. Raises CrystalError where it is missing or damaged."""
        path = self.path(crystal.id)
        try:
            volume = read_volume(path)
        except DataError as error:
            raise CrystalError(BROKEN_DENSITY, str(error).replace(f"{path.parent}/", "")) from error
        expected, found = volume.meta["n_electrons"], volume.integral("total")
        if abs(expected - found) > _ELECTRON_TOLERANCE:
            raise CrystalError(
                BROKEN_DENSITY,
                f"the density of {crystal.id} integrates to {found:.4f} electrons, not {expected:.4f}; "
                "the file is damaged: copy it again",
            )
        return volume

    def version(self, crystal: Crystal) -> str:
        """That of its file."""
        return file_version(self.path(crystal.id))

    def path(self, sample_id: str) -> Path:
        """The file of a density, in the first folder that has it."""
        paths = [folder / "densities" / f"{sample_id}.npz" for folder in self.folders]
        return next((path for path in paths if path.exists()), paths[0])

    def ids(self) -> list[str]:
        """The crystals that have a density, sorted."""
        files = (path for folder in self.folders for path in (folder / "densities").glob("*.npz"))
        return sorted({path.stem for path in files if not path.name.startswith(".")})


def plan_ecd_fcc(raw: Sequence[Path], out: Path) -> Plan:
    """Plan a build of `ecd-fcc` from its raw folders; texts that `out` holds of the same structures are reused.

    Args:
        raw: folders with `densities/ID.npz`, one of them with the table of known values.
        out: the dataset folder.

    Raises:
        DataError: a folder is incomplete, or the table is not that of ecd-fcc.
    """
    for folder in raw:
        if not (folder / "densities").is_dir():
            raise DataError(f"{folder} holds no folder densities; give the raw folders of ecd-fcc.")
    tables = [folder / TABLE for folder in raw if (folder / TABLE).exists()]
    if not tables:
        raise DataError(f"None of the folders holds {TABLE}; give the raw folder of ecd-fcc that does.")
    known, texts = _read_known_values(tables[0]), known_texts(out)
    source = RawFolders(tuple(folder.resolve() for folder in raw))
    crystals = [_crystal(one, known.get(one), source, texts.get(one)) for one in source.ids()]
    return Plan(Blueprint(FACTS, notes="ecd-fcc"), source, lambda: crystals, len(crystals))


def known_texts(folder: Path) -> dict[str, tuple[str, str]]:
    """The full descriptions that a dataset folder holds, each with the hash of the structure it describes, by id."""
    from pymatgen.core import Structure

    try:
        dataset = DatasetFolder(folder, "Build it again.")
        rows = [row for split in SPLITS for row in dataset.stream(split, ["id", "structure", "text_all"])]
    except DataError:  # an empty folder, or another form
        return {}
    texts = {}
    for row in rows:
        crystal = json.loads(row["structure"])
        structure = Structure(crystal["lattice"], crystal["numbers"], crystal["frac_coords"])
        texts[row["id"]] = (row["text_all"], structure_hash(structure.as_dict()))
    return texts


def _read_known_values(path: Path) -> dict[str, dict[str, str]]:
    try:
        with path.open(newline="", encoding="utf-8") as file:
            records = list(csv.DictReader(file))
    except (UnicodeError, csv.Error) as error:
        raise DataError(f"{path} is not a CSV table; give the table of known values of ecd-fcc.") from error
    needed = {"material_id", "formula", "spacegroup"}
    needed |= {f"{source}_{_plain(name)}" for name, sources in _SOURCES.items() for source in sources}
    needed |= {f"paper_{_plain(column.name)}" for column in TABULATED}
    if not records or (absent := needed - set(records[0])):
        what = f"lacks the columns {', '.join(sorted(absent))}" if records else "is empty"
        raise DataError(f"{path} {what}; give the table of known values of ecd-fcc.")
    known = {record["material_id"]: record for record in records}
    if len(known) < len(records):
        raise DataError(f"{path} has a material_id more than once; keep one row per material_id.")
    for sample_id, record in known.items():
        if not record["spacegroup"].isdigit():
            raise DataError(f"{path}: the space group of {sample_id} is not a number; give the international one.")
    return known


def _crystal(
    sample_id: str, record: Mapping[str, str] | None, source: RawFolders, text: tuple[str, str] | None
) -> Crystal:
    check_id(sample_id, source.path(sample_id).parent)
    try:
        meta = read_meta(source.path(sample_id))
    except DataError:  # its job will say so, and the others are built
        meta = {}
    values: dict[str, Any] = {name: meta.get(key) for name, key in _COMPUTED.items()}
    values["is_metal"] = None if values["band_gap"] is None else values["band_gap"] == 0
    values |= dict(_tabulated(record or {}))
    if record is None:  # described by its density alone
        return Crystal(sample_id, values, known_text=text)
    return Crystal(sample_id, values, record["formula"], int(record["spacegroup"]), text)


def _tabulated(record: Mapping[str, str]) -> Iterator[tuple[str, Any]]:
    """Known values of a crystal, those with several sources with the name of the one that was taken."""
    for column in TABULATED:
        value = _number(record, f"paper_{_plain(column.name)}")
        yield column.name, value if is_physical(column.name, _moduli(record, "paper")) else None
    for name, sources in _SOURCES.items():
        found = {source: _number(record, f"{source}_{_plain(name)}") for source in sources}
        known = (source for source in sources if found[source] is not None)
        taken = next((source for source in known if is_physical(name, _moduli(record, source))), None)
        yield name, None if taken is None else found[taken]
        yield f"{name}_source", taken


def _moduli(record: Mapping[str, str], source: str) -> dict[str, float | None]:
    return {name: _number(record, f"{source}_{name}") for name in (*BULK, *SHEAR)}


def _plain(name: str) -> str:
    return name.removesuffix("_mp")


def _number(record: Mapping[str, str], column: str) -> float | None:
    cell = record.get(column, "")
    if not cell:
        return None
    try:
        number = float(cell)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise DataError(
            f"{TABLE}: {column} of {record['material_id']} is '{cell}', not a number; leave unknown values empty."
        )
    return number
