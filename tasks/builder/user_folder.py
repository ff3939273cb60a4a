"""A user's own densities: a folder of them with a property table and, optionally, a `dataset.yaml`."""

from __future__ import annotations

import csv
import math
import re
from collections import Counter
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError

from ...benchmark.columns import Column
from ...benchmark.errors import DataError
from ...benchmark.metrics import Kind
from ...benchmark.task import Target
from ..datasets import DatasetFacts
from ..datasets.crystals import crystal_columns
from ..datasets.mp_fcc import PROPERTIES
from ..density.structure_factors import PROMOLECULE
from .assembly import Plan
from .blueprint import Blueprint
from .crystal import Crystal, check_id
from .densities import CHANNELS
from .density_folder import DensityFolder

TABLE, DESCRIPTION = "properties.csv", "dataset.yaml"
# Properties whose unit and meaning need not be stated.
_KNOWN = {column.name: column for column in PROPERTIES}
_DATASET_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,99}")
_COLUMN = re.compile(r"([A-Za-z]\w{0,99})\s*(?:\[(.*)\])?")
# No property of a crystal is larger in any unit in use; beyond this, histograms and means overflow.
_LARGEST = 1e100
_NOT_STATED = "not stated"
# A single line without markup, because it goes into the dataset card.
_Line = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500, pattern=r"^[^\n\r|<>]*$")]


class TargetDescription(BaseModel):
    """A target in `dataset.yaml`."""

    model_config = ConfigDict(extra="forbid")
    unit: _Line = ""
    description: _Line | None = None
    kind: Kind = "regression"


class DatasetDescription(BaseModel):
    """The contents of `dataset.yaml`: what the table cannot say."""

    model_config = ConfigDict(extra="forbid")
    title: _Line | None = None
    license: _Line = _NOT_STATED
    citation: _Line = _NOT_STATED
    provenance: _Line = _NOT_STATED
    channels: tuple[str, ...] = ("total", "spin")
    lattice: Literal["fcc", "any"] = "fcc"
    targets: dict[str, TargetDescription] = {}


def plan_user_folder(name: str, source: Path, limit: int | None = None) -> Plan:
    """Plan the build of dataset `name` from a folder.

    Args:
        name: of the dataset: lower-case letters, digits, hyphens.
        source: folder with `properties.csv` (a column `id`, optionally `formula` and `spacegroup`, and numeric columns
            whose unit may follow in brackets), optionally `dataset.yaml`, and the densities.
        limit: only the first so many crystals, for a trial.

    Raises:
        DataError: the name, the table or `dataset.yaml` is invalid.
    """
    if not _DATASET_NAME.fullmatch(name):
        raise DataError(f"Invalid dataset name '{name}'; use lower-case letters, digits and hyphens.")
    units, records = read_table(source / TABLE)
    description = read_description(source / DESCRIPTION, units)
    targets = tuple(
        _target(column, unit, description.targets.get(column))
        for column, unit in units.items()
        if not description.targets or column in description.targets
    )
    facts = DatasetFacts(
        id=name,
        title=description.title or f"electron densities of the crystals of {name}",
        columns=crystal_columns(
            description.channels, _property_columns(units, targets), is_cubic=description.lattice == "fcc"
        ),
        targets=targets,
        group="chemical system",
        provenance=description.provenance,
        license=description.license,
        citation=description.citation,
    )
    crystals = [_crystal(record, units, source / TABLE) for record in records][:limit]
    _check_classes(targets, crystals, source / TABLE)
    return Plan(Blueprint(facts), DensityFolder(source.resolve()), lambda: crystals, len(crystals))


def read_table(path: Path) -> tuple[dict[str, str], list[dict[str, str]]]:
    """Read the property table.

    Returns:
        The unit of each property column, and the records under plain column names.

    Raises:
        DataError: the table is missing or malformed.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            header, *lines = [row for row in csv.reader(file) if row]
    except FileNotFoundError as error:
        raise DataError(
            f"{path.parent} holds no {TABLE}; write one with a column id and one column per property."
        ) from error
    except (UnicodeError, csv.Error, ValueError) as error:
        raise DataError(f"{path} is not a CSV table with a header in UTF-8; write one row per crystal.") from error
    names, units = [], {}
    for cell in header:
        match = _COLUMN.fullmatch(cell.strip())
        if match is None:
            raise DataError(
                f"{path} has the column '{cell}'; a name consists of letters, digits and _, a unit goes in brackets."
            )
        if len(match[2] or "") > 40 or set(match[2] or "") & set("|<>"):
            raise DataError(f"{path} has a unit that is none: '{match[2][:40]}'; write it as in `k_vrh [GPa]`.")
        names.append("id" if match[1] == "material_id" else match[1])
        if match[1] not in ("id", "material_id", "formula", "spacegroup"):
            units[match[1]] = match[2] or ""
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise DataError(f"{path} has the column {twice} more than once; keep one.")
    if "id" not in names or not units:
        raise DataError(
            f"{path} has the columns {', '.join(header)[:200]}; it needs id and at least one property, separated by "
            "commas."
        )
    if not lines:
        raise DataError(f"{path} has no rows; write one for each crystal.")
    views = {f"{kind}_{channel}" for kind in ("image", "density", "volume") for channel in (*CHANNELS, PROMOLECULE)}
    taken = {column.name for column in crystal_columns(CHANNELS, ())} | views | {"group"}
    if clash := taken & set(units):
        raise DataError(f"{path} has the column {min(clash)}, a name that every dataset uses already; rename it.")
    if bad := next((number for number, line in enumerate(lines, 2) if len(line) != len(names)), None):
        raise DataError(f"{path}, row {bad}: the number of cells differs from the header; make them equal.")
    records = [dict(zip(names, (cell.strip() for cell in line), strict=True)) for line in lines]
    counts = Counter(record["id"] for record in records)
    if twice := next((sample_id for sample_id, count in counts.items() if count > 1), None):
        raise DataError(f"{path} has the id {twice} more than once; keep one row per id.")
    return units, records


def read_description(path: Path, units: dict[str, str]) -> DatasetDescription:
    """Read `dataset.yaml`; the defaults where there is none.

    Args:
        path: of the file.
        units: the property columns of the table, by name.

    Raises:
        DataError: the file is malformed, or names a channel or target that does not exist.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8")) if path.exists() else None
        description = DatasetDescription.model_validate(content or {})
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the whole file"
        raise DataError(f"{path}: {where}: {first['msg']}.") from error
    except (yaml.YAMLError, UnicodeError) as error:
        raise DataError(f"{path} is not valid YAML: {' '.join(str(error).split())[:200]}.") from error
    channels = description.channels
    if not channels or len(set(channels)) < len(channels):
        raise DataError(f"{path}: channels is empty or names one twice; there are {', '.join(CHANNELS)}.")
    if unknown := set(channels) - set(CHANNELS):
        raise DataError(f"{path}: there is no channel {min(unknown)}; there are {', '.join(CHANNELS)}.")
    if unknown := set(description.targets) - set(units):
        raise DataError(f"{path} has the target {min(unknown)}, which is not a column of {TABLE}.")
    return description


def _property_columns(units: dict[str, str], targets: tuple[Target, ...]) -> list[Column]:
    """The columns of the table: targets as described, all others as far as they are known."""
    by_name = {target.name: target for target in targets}
    columns = []
    for name, unit in units.items():
        known = _KNOWN.get(name, Column(name, "number", description=name.replace("_", " ")))
        if target := by_name.get(name):
            columns.append(target.column())
        else:
            columns.append(Column(name, "number", unit=unit or known.unit, description=known.description))
    return columns


def _target(name: str, unit: str, stated: TargetDescription | None) -> Target:
    """A target with what `dataset.yaml` states about it, else the table, else a known column of this name."""
    known = _KNOWN.get(name, Column(name, "number", description=name.replace("_", " ")))
    stated = stated or TargetDescription()
    unit = "" if stated.kind == "classification" else stated.unit or unit or known.unit
    return Target(name, unit, stated.description or known.description, stated.kind)


def _check_classes(targets: tuple[Target, ...], crystals: list[Crystal], table: Path) -> None:
    for target in targets:
        values = {crystal.properties[target.name] for crystal in crystals} - {None}
        if target.kind == "classification" and not values <= {0.0, 1.0}:
            raise DataError(
                f"{table}: {target.name} is a binary target and holds {max(values - {0.0, 1.0}):g}; write 0 or 1."
            )


def _crystal(record: dict[str, str], units: dict[str, str], table: Path) -> Crystal:
    sample_id, spacegroup = record["id"], record.get("spacegroup", "")
    check_id(sample_id, table)
    if spacegroup and not (spacegroup.isascii() and spacegroup.isdigit() and 1 <= int(spacegroup) <= 230):
        raise DataError(f"{table}: {sample_id}: the space group is '{spacegroup}', not a number from 1 to 230.")
    values: dict[str, Any] = {}
    for column in units:
        try:
            values[column] = float(record[column]) if record[column] else None
        except ValueError:
            values[column] = math.nan
        if values[column] is not None and not abs(values[column]) < _LARGEST:
            raise DataError(
                f"{table}: {sample_id}: {column} is '{record[column]}', not a number; leave unknown values empty."
            )
    return Crystal(sample_id, values, record.get("formula") or None, int(spacegroup) if spacegroup else None)
