"""The raw folder of `ecd-fcc`: densities and a property table."""

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
from ..ecd_fcc import FACTS
from ..folder import DatasetFolder
from .blueprint import Blueprint, Column
from .build import Plan
from .material import Material, MaterialError
from .plane import PlaneSettings
from .text import structure_hash
from .volume import Volume, file_state, read_volume

# The densities integrate to the number of valence electrons; a larger gap means a damaged file.
_ELECTRON_TOLERANCE = 1e-3
_ID = re.compile(r"[A-Za-z0-9-]+")
_TEXTS = "descriptions.json"

COLUMNS = {
    "k_vrh": Column("float", "bulk modulus, GPa"),
    "formation_energy_per_atom": Column("float", "eV/atom"),
    "band_gap": Column("float", "PBE gap computed with the density, eV"),
    "band_gap_mp": Column("float", "gap as tabulated by the Materials Project, eV"),
    "total_magnetization": Column("float", "muB per primitive cell"),
    "g_vrh": Column("float", "shear modulus, GPa"),
    "poisson_ratio": Column("float", "Poisson ratio"),
    "e_above_hull": Column("float", "eV/atom"),
    "fermi_energy": Column("float", "eV, relative to GPAW's zero"),
    "energy_rel_atoms": Column("float", "eV per primitive cell, relative to GPAW's reference atoms"),
    "k_vrh_source": Column("string", "where k_vrh was tabulated"),
    "formation_energy_per_atom_source": Column("string", "where formation_energy_per_atom was tabulated"),
    "band_gap_mp_source": Column("string", "where band_gap_mp was tabulated"),
}
# Columns that the property table has under another name. Empty cells are unknown values.
_THEIRS = {"band_gap": "band_gap_pbe", "formation_energy_per_atom_source": "formation_energy_source"}


@dataclass(frozen=True)
class RawFolder:
    """Densities as `densities/ID.npz`."""

    folder: Path

    def density(self, material: Material) -> Volume:
        """Read one density and check that no electron is missing."""
        try:
            volume = read_volume(self._path(material))
        except DataError as error:
            raise MaterialError("broken density", str(error).replace(f"{self.folder}/", "")) from error
        expected, found = volume.meta["n_electrons"], volume.integral("total")
        if abs(expected - found) > _ELECTRON_TOLERANCE:
            raise MaterialError(
                "broken density",
                f"the density of {material.id} integrates to {found:.4f} electrons, not {expected:.4f}; "
                "the file is damaged: copy it again",
            )
        return volume

    def state(self, material: Material) -> str:
        """Of its file."""
        return file_state(self._path(material))

    def _path(self, material: Material) -> Path:
        return self.folder / "densities" / f"{material.id}.npz"


def plan(raw: Path, out: Path, plane: PlaneSettings, regrid: int | None) -> Plan:
    """What it takes to build `ecd-fcc` from its raw folder; descriptions stored in `out` are used again.

    Raises:
        DataError: the raw folder is incomplete, or its table is not the one of ecd-fcc.
    """
    for name in ("densities", "properties.csv"):
        if not (raw / name).exists():
            raise DataError(f"{raw} holds no {name}; give the raw folder of ecd-fcc.")
    properties, texts = _read_properties(raw / "properties.csv"), _read_texts(out / _TEXTS)
    materials = [_material(record, texts.get(material)) for material, record in sorted(properties.items())]
    blueprint = Blueprint(FACTS, COLUMNS, plane, regrid, notes="ecd-fcc")
    return Plan(blueprint, RawFolder(raw.resolve()), lambda: materials, len(materials))


def store_texts(raw: Path, out: Path) -> None:
    """Keep the descriptions of a built dataset beside it, each with the hash of the structure it describes."""
    texts = {}
    for row in _built_rows(out):
        structure = read_volume(raw / "densities" / f"{row['id']}.npz").structure()
        texts[row["id"]] = {"structure": structure_hash(structure), "text": row["text_all"]}
    write_json(out / _TEXTS, dict(sorted(texts.items())))


def _built_rows(out: Path) -> Iterator[dict[str, Any]]:
    dataset = DatasetFolder(out, "Build it again.")
    return (row for split in dataset.manifest["rows"] for row in dataset.read(split, ["id", "text_all"]))


def _read_texts(store: Path) -> dict[str, dict[str, str]]:
    try:
        return json.loads(store.read_text(encoding="utf-8")) if store.exists() else {}
    except ValueError as error:
        raise DataError(f"{store} cannot be read; delete it to have all descriptions made again.") from error


def _read_properties(path: Path) -> dict[str, dict[str, str]]:
    try:
        with path.open(newline="", encoding="utf-8") as file:
            records = list(csv.DictReader(file))
    except (UnicodeError, csv.Error) as error:
        raise DataError(f"{path} is no csv table; give the property table of ecd-fcc.") from error
    needed = {"material_id", "formula", "spacegroup", *(_THEIRS.get(name, name) for name in COLUMNS)}
    if not records or (absent := needed - set(records[0])):
        what = f"lacks the columns {', '.join(sorted(absent))}" if records else "is empty"
        raise DataError(f"{path} {what}; give the property table of ecd-fcc.")
    properties = {record["material_id"]: record for record in records}
    if len(properties) < len(records):
        raise DataError(f"{path} has a material more than once; keep one row per material_id.")
    for material in properties:
        if not properties[material]["spacegroup"].isdigit():
            raise DataError(f"{path}: the space group of {material} is no number.")
        if not _ID.fullmatch(material):
            raise DataError(f"{path} has the id '{material}'; ids are letters, digits and hyphens.")
    return properties


def _material(record: dict[str, str], text: dict[str, str] | None) -> Material:
    values = {name: _value(record, name, column.kind) for name, column in COLUMNS.items()}
    known = (text["text"], text["structure"]) if text else None
    return Material(record["material_id"], values, record["formula"], int(record["spacegroup"]), known)


def _value(record: dict[str, str], name: str, kind: str) -> float | str | None:
    cell = record[_THEIRS.get(name, name)]
    if kind == "string" or not cell:
        return cell or None
    try:
        number = float(cell)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise DataError(
            f"properties.csv: {name} of {record['material_id']} is '{cell}', not a number; leave unknown values empty."
        )
    return number
