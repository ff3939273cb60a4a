"""The raw folder from which `ecd-fcc` is built: densities and a property table."""

from __future__ import annotations

import csv
import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...benchmark.errors import DataError
from ...benchmark.storage import write_json
from ..datasets.ecd_fcc import FACTS, PROPERTIES
from ..datasets.folder import DatasetFolder
from .assembly import Plan
from .blueprint import Blueprint
from .crystal import Crystal, CrystalError
from .densities import Volume, file_version, read_volume
from .descriptions import structure_hash
from .slices import PlaneSettings

# The densities integrate to the number of valence electrons; a larger deviation means a damaged file.
_ELECTRON_TOLERANCE = 1e-3
_ID = re.compile(r"[A-Za-z0-9-]+")
_TABLE, _DESCRIPTIONS = "properties.csv", "descriptions.json"

# Columns of the property table; `is_metal` follows from the gap.
_TABULATED = {column.name: column.kind for column in PROPERTIES if column.name != "is_metal"}
# Columns that have another name in the property table. Empty cells are unknown values.
_TABLE_NAMES = {"band_gap": "band_gap_pbe", "formation_energy_per_atom_source": "formation_energy_source"}


@dataclass(frozen=True)
class RawFolder:
    """Densities as `densities/ID.npz`."""

    folder: Path

    def density(self, crystal: Crystal) -> Volume:
        """Read one density and check its electron count. Raises CrystalError where it is missing or damaged."""
        try:
            volume = read_volume(self._path(crystal))
        except DataError as error:
            raise CrystalError("broken density", str(error).replace(f"{self.folder}/", "")) from error
        expected, found = volume.meta["n_electrons"], volume.integral("total")
        if abs(expected - found) > _ELECTRON_TOLERANCE:
            raise CrystalError(
                "broken density",
                f"the density of {crystal.id} integrates to {found:.4f} electrons, not {expected:.4f}; "
                "the file is damaged: copy it again",
            )
        return volume

    def version(self, crystal: Crystal) -> str:
        """That of its file."""
        return file_version(self._path(crystal))

    def _path(self, crystal: Crystal) -> Path:
        return self.folder / "densities" / f"{crystal.id}.npz"


def plan_ecd_fcc(raw: Path, out: Path, plane: PlaneSettings, regrid: int | None) -> Plan:
    """Plan a build of `ecd-fcc` from its raw folder; descriptions stored in `out` are reused.

    Raises:
        DataError: the raw folder is incomplete, or its table is not that of ecd-fcc.
    """
    for name in ("densities", _TABLE):
        if not (raw / name).exists():
            raise DataError(f"{raw} holds no {name}; give the raw folder of ecd-fcc.")
    records, texts = _read_properties(raw / _TABLE), _read_descriptions(out / _DESCRIPTIONS)
    crystals = [_crystal(record, texts.get(sample_id)) for sample_id, record in sorted(records.items())]
    blueprint = Blueprint(FACTS, plane, regrid, notes="ecd-fcc")
    return Plan(blueprint, RawFolder(raw.resolve()), lambda: crystals, len(crystals))


def store_descriptions(raw: Path, out: Path) -> None:
    """Keep the descriptions of a built dataset in its folder, each with the hash of the structure it describes."""
    texts = {}
    for row in _built_rows(out):
        structure = read_volume(raw / "densities" / f"{row['id']}.npz").structure
        texts[row["id"]] = {"structure": structure_hash(structure.as_dict()), "text": row["text_all"]}
    write_json(out / _DESCRIPTIONS, dict(sorted(texts.items())))


def _built_rows(out: Path) -> Iterator[dict[str, Any]]:
    dataset = DatasetFolder(out, "Build it again.")
    return (row for split in dataset.manifest["rows"] for row in dataset.stream(split, ["id", "text_all"]))


def _read_descriptions(file: Path) -> dict[str, dict[str, str]]:
    try:
        return json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    except ValueError as error:
        raise DataError(f"{file} cannot be read; delete it to generate all descriptions again.") from error


def _read_properties(path: Path) -> dict[str, dict[str, str]]:
    try:
        with path.open(newline="", encoding="utf-8") as file:
            records = list(csv.DictReader(file))
    except (UnicodeError, csv.Error) as error:
        raise DataError(f"{path} is not a CSV table; give the property table of ecd-fcc.") from error
    needed = {"material_id", "formula", "spacegroup", *(_TABLE_NAMES.get(name, name) for name in _TABULATED)}
    if not records or (absent := needed - set(records[0])):
        what = f"lacks the columns {', '.join(sorted(absent))}" if records else "is empty"
        raise DataError(f"{path} {what}; give the property table of ecd-fcc.")
    properties = {record["material_id"]: record for record in records}
    if len(properties) < len(records):
        raise DataError(f"{path} has a material_id more than once; keep one row per material_id.")
    for sample_id, record in properties.items():
        if not record["spacegroup"].isdigit():
            raise DataError(f"{path}: the space group of {sample_id} is not a number; give the international one.")
        if not _ID.fullmatch(sample_id):
            raise DataError(f"{path} has the id '{sample_id}'; ids are letters, digits and hyphens.")
    return properties


def _crystal(record: dict[str, str], text: dict[str, str] | None) -> Crystal:
    values: dict[str, Any] = {name: _value(record, name, kind) for name, kind in _TABULATED.items()}
    values["is_metal"] = None if values["band_gap"] is None else values["band_gap"] == 0
    known = (text["text"], text["structure"]) if text else None
    return Crystal(record["material_id"], values, record["formula"], int(record["spacegroup"]), known)


def _value(record: dict[str, str], name: str, kind: str) -> float | str | None:
    cell = record[_TABLE_NAMES.get(name, name)]
    if kind == "string" or not cell:
        return cell or None
    try:
        number = float(cell)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise DataError(
            f"{_TABLE}: {name} of {record['material_id']} is '{cell}', not a number; leave unknown values empty."
        )
    return number
