"""Somebody's own densities: a folder of CHGCAR files with a table of properties."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...benchmark.errors import DataError
from ...benchmark.task import Target
from ..definition import DatasetFacts
from .blueprint import Blueprint, Column
from .build import Plan
from .material import Material, MaterialError
from .mp_columns import COLUMNS as KNOWN
from .own_table import ABOUT, TABLE, AboutTarget, read_about, read_table
from .plane import PlaneSettings
from .volume import CHANNELS, Volume, file_state, read_volume

# Where the density of a crystal may lie.
_PLACES = ("{}.npz", "{}.json.gz", "{}.CHGCAR", "{}.CHGCAR.gz", "CHGCAR.{}", "CHGCAR_{}", "{}/CHGCAR", "{}/CHGCAR.gz")
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")
_NAME = re.compile(r"[a-z0-9][a-z0-9-]*")
# No property of a crystal is larger in any unit in use; beyond it histograms and means overflow.
_LARGEST = 1e100


@dataclass(frozen=True)
class OwnFolder:
    """Densities in a folder, or in its folder `densities`."""

    folder: Path

    def density(self, material: Material) -> Volume:
        """Read the density of one crystal. Raises MaterialError where there is none, or a broken one."""
        path = self._path(material)
        if path is None:
            names = ", ".join(place.format(material.id) for place in _PLACES)
            raise MaterialError("no density", f"none of {names} is in the folder or its folder densities")
        try:
            return read_volume(path)
        except DataError as error:  # without the way to it, which is nobody's business where the dataset is published
            raise MaterialError("broken density", str(error).replace(f"{self.folder}/", "")) from error

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
    units, records = read_table(source / TABLE)
    about = read_about(source / ABOUT)
    if not about.channels or len(set(about.channels)) < len(about.channels):
        raise DataError(f"{source / ABOUT}: channels names none, or one twice; there are {', '.join(CHANNELS)}.")
    if unknown := set(about.channels) - set(CHANNELS):
        raise DataError(f"{source / ABOUT}: there is no channel {min(unknown)}; there are {', '.join(CHANNELS)}.")
    if unknown := set(about.targets) - set(units):
        raise DataError(f"{source / ABOUT} has the target {min(unknown)}, which is no column of {TABLE}.")
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


def _meaning(column: str, unit: str) -> str:
    if unit:
        return f"{column}, {unit}"
    return KNOWN[column].meaning if column in KNOWN else column


def _said(about: AboutTarget | None, column: str, unit: str) -> Iterator[str]:
    """Unit and description of a target."""
    known = KNOWN[column].meaning if column in KNOWN else column.replace("_", " ")
    yield (about.unit if about else unit) or known.rpartition(", ")[2].partition(";")[0]
    yield (about.description if about else None) or known


def _material(record: dict[str, str], units: dict[str, str], source: Path) -> Material:
    where = f"{source / TABLE}: {record['id']}"
    if not _ID.fullmatch(record["id"]):
        raise DataError(f"{source / TABLE} has the id '{record['id']}'; ids are letters, digits, hyphens, dots and _.")
    spacegroup = record.get("spacegroup", "")
    if spacegroup and not (spacegroup.isascii() and spacegroup.isdigit() and 1 <= int(spacegroup) <= 230):
        raise DataError(f"{where}: the space group is '{spacegroup}', not a number from 1 to 230.")
    values: dict[str, Any] = {}
    for column in units:
        try:
            values[column] = float(record[column]) if record[column] else None
        except ValueError:
            values[column] = math.nan
        if values[column] is not None and not abs(values[column]) < _LARGEST:
            raise DataError(f"{where}: {column} is '{record[column]}', not a number; leave unknown values empty.")
    return Material(record["id"], values, record.get("formula") or None, int(spacegroup) if spacegroup else None)
