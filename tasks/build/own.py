"""Somebody's own densities: a folder of CHGCAR files with a table of properties."""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from ...benchmark.errors import DataError
from ...benchmark.task import Target
from ..definition import DatasetFacts
from .blueprint import IDENTITY_COLUMNS, Blueprint, Column
from .build import Plan
from .material import Material, MaterialError
from .mp_columns import COLUMNS as KNOWN
from .plane import PlaneSettings
from .volume import CHANNELS, Volume, file_state, read_volume

_TABLE, _ABOUT = "properties.csv", "dataset.yaml"
# Where the density of a crystal may lie.
_PLACES = ("{}.npz", "{}.json.gz", "{}.CHGCAR", "{}.CHGCAR.gz", "CHGCAR.{}", "CHGCAR_{}", "{}/CHGCAR", "{}/CHGCAR.gz")
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_NAME = re.compile(r"[a-z0-9][a-z0-9-]*")
_COLUMN = re.compile(r"([A-Za-z]\w*)\s*(?:\[(.*)\])?")
_NOT_STATED = "not stated"


class AboutTarget(BaseModel):
    """A target in `dataset.yaml`."""

    model_config = ConfigDict(extra="forbid")
    unit: str
    description: str = ""


class About(BaseModel):
    """`dataset.yaml`: what the table cannot say."""

    model_config = ConfigDict(extra="forbid")
    title: str | None = None
    license: str = _NOT_STATED
    citation: str = _NOT_STATED
    provenance: str = _NOT_STATED
    channels: tuple[str, ...] = ("total", "spin")
    targets: dict[str, AboutTarget] = {}


@dataclass(frozen=True)
class OwnFolder:
    """Densities in a folder, or in its folder `densities`."""

    folder: Path

    def density(self, material: Material) -> Volume:
        """Read the density of one crystal. Raises MaterialError where there is none, or a broken one."""
        path = self._path(material)
        if path is None:
            names = ", ".join(place.format(material.id) for place in _PLACES)
            raise MaterialError("no density", f"none of {names} is in {self.folder} or its folder densities")
        try:
            return read_volume(path)
        except DataError as error:
            raise MaterialError("broken density", str(error)) from error

    def state(self, material: Material) -> str:
        """Of its file."""
        return file_state(self._path(material))

    def _path(self, material: Material) -> Path | None:
        places = (f / place.format(material.id) for f in (self.folder / "densities", self.folder) for place in _PLACES)
        return next((path for path in places if path.is_file()), None)


def plan(name: str, source: Path, plane: PlaneSettings, regrid: int | None, limit: int | None = None) -> Plan:
    """What it takes to build the dataset `name` from a folder.

    Args:
        name: the dataset's name: small letters, digits, hyphens.
        source: holds `properties.csv` (columns `id`, perhaps `formula` and `spacegroup`, and numbers; a unit may stand
            in brackets behind a name), perhaps `dataset.yaml`, and the densities.
        plane: which plane is cut.
        regrid: as `Blueprint.regrid`.
        limit: only the first so many, for a trial.

    Raises:
        DataError: the name, the table or `dataset.yaml` is not as it should be.
    """
    if not _NAME.fullmatch(name):
        raise DataError(f"'{name}' is no name of a dataset; use small letters, digits and hyphens.")
    units, records = _read_table(source / _TABLE)
    about = _read_about(source / _ABOUT)
    if unknown := set(about.channels) - set(CHANNELS):
        raise DataError(f"{source / _ABOUT}: there is no channel {min(unknown)}; there are {', '.join(CHANNELS)}.")
    if unknown := set(about.targets) - set(units):
        raise DataError(f"{source / _ABOUT} has the target {min(unknown)}, which is no column of {_TABLE}.")
    columns = {column: Column("float", _meaning(column, unit)) for column, unit in units.items()}
    targets = tuple(
        Target(column, *_said(about.targets.get(column), column, unit))
        for column, unit in units.items()
        if not about.targets or column in about.targets
    )
    facts = DatasetFacts(
        id=name,
        title=about.title or f"(111) slices of the electron density of {len(records)} crystals",
        targets=targets,
        channels=about.channels,
        text_tiers=("single", "key", "all"),
        schemes=("official", "grouped"),
        group="chemical system",
        provenance=about.provenance,
        license=about.license,
        citation=about.citation,
    )
    materials = [_material(record, units, source) for record in records][:limit]
    blueprint = Blueprint(facts, columns, plane, regrid)
    return Plan(blueprint, OwnFolder(source.resolve()), lambda: materials, len(materials))


def _read_table(path: Path) -> tuple[dict[str, str], list[dict[str, str]]]:
    """Units by property column, and the records with plain column names."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            header, *lines = [row for row in csv.reader(file) if row]
    except FileNotFoundError as error:
        raise DataError(
            f"{path.parent} holds no {_TABLE}; write one with the column id and a column per property."
        ) from error
    except (UnicodeError, csv.Error, ValueError) as error:
        raise DataError(f"{path} is no csv table with a header; write one row per crystal.") from error
    names, units = [], {}
    for cell in header:
        match = _COLUMN.fullmatch(cell.strip())
        if match is None:
            raise DataError(f"{path} has the column '{cell}'; a name is letters, digits and _, a unit stands in [].")
        names.append("id" if match[1] == "material_id" else match[1])
        if match[1] not in ("id", "material_id", "formula", "spacegroup"):
            units[match[1]] = match[2] or ""
    if len(set(names)) < len(names) or "id" not in names or not lines or not units:
        raise DataError(f"{path} needs rows, a column id, and a column per property, each once.")
    taken = {*IDENTITY_COLUMNS, *(f"{kind}_{channel}" for kind in ("image", "density") for channel in CHANNELS)}
    if clash := taken & set(units):
        raise DataError(f"{path} has the column {min(clash)}, which every dataset has already; give it another name.")
    if short := next((number for number, line in enumerate(lines, 2) if len(line) != len(names)), None):
        raise DataError(f"{path}, row {short}: it has not as many cells as the header.")
    records = [dict(zip(names, (cell.strip() for cell in line), strict=True)) for line in lines]
    if len({record["id"] for record in records}) < len(records):
        raise DataError(f"{path} has an id more than once; keep one row per id.")
    return units, records


def _read_about(path: Path) -> About:
    if not path.exists():
        return About()
    try:
        return About.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")) or {})
    except ValidationError as error:
        first = error.errors()[0]
        raise DataError(f"{path}: {'.'.join(map(str, first['loc']))}: {first['msg']}.") from error
    except (yaml.YAMLError, UnicodeError) as error:
        raise DataError(f"{path} is no YAML: {' '.join(str(error).split())[:200]}.") from error


def _meaning(column: str, unit: str) -> str:
    if unit:
        return f"{column}, {unit}"
    return KNOWN[column].meaning if column in KNOWN else column


def _said(about: AboutTarget | None, column: str, unit: str) -> Iterator[str]:
    """Unit and description of a target."""
    known = KNOWN[column].meaning if column in KNOWN else column.replace("_", " ")
    yield (about.unit if about else unit) or known.rpartition(", ")[2].partition(";")[0]
    yield (about.description if about else "") or known


def _material(record: dict[str, str], units: dict[str, str], source: Path) -> Material:
    where = f"{source / _TABLE}: {record['id']}"
    if not _ID.fullmatch(record["id"]):
        raise DataError(f"{source / _TABLE} has the id '{record['id']}'; ids are letters, digits, hyphens, dots and _.")
    spacegroup = record.get("spacegroup", "")
    if spacegroup and not (spacegroup.isdigit() and 1 <= int(spacegroup) <= 230):
        raise DataError(f"{where}: the space group is '{spacegroup}', not a number from 1 to 230.")
    values: dict[str, Any] = {}
    for column in units:
        try:
            values[column] = float(record[column]) if record[column] else None
        except ValueError:
            values[column] = math.nan
        if values[column] is not None and not math.isfinite(values[column]):
            raise DataError(f"{where}: {column} is '{record[column]}', not a number; leave unknown values empty.")
    return Material(record["id"], values, record.get("formula") or None, int(spacegroup) if spacegroup else None)
