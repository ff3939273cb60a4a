"""What people say of their own densities: a table of properties, and a few words in `dataset.yaml`."""

from __future__ import annotations

import csv
import re
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError

from ...benchmark.errors import DataError
from .blueprint import IDENTITY_COLUMNS
from .volume import CHANNELS

TABLE, ABOUT = "properties.csv", "dataset.yaml"
_COLUMN = re.compile(r"([A-Za-z]\w*)\s*(?:\[(.*)\])?")
_NOT_STATED = "not stated"
# One line that is no markup: it goes into the card.
Line = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500, pattern=r"^[^\n\r|<>]*$")]


class AboutTarget(BaseModel):
    """A target in `dataset.yaml`."""

    model_config = ConfigDict(extra="forbid")
    unit: Line
    description: Line | None = None


class About(BaseModel):
    """`dataset.yaml`: what the table cannot say."""

    model_config = ConfigDict(extra="forbid")
    title: Line | None = None
    license: Line = _NOT_STATED
    citation: Line = _NOT_STATED
    provenance: Line = _NOT_STATED
    channels: tuple[str, ...] = ("total", "spin")
    targets: dict[str, AboutTarget] = {}


def read_table(path: Path) -> tuple[dict[str, str], list[dict[str, str]]]:
    """Units by property column, and the records with plain column names.

    Raises:
        DataError: the table is absent, or not as it should be.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            header, *lines = [row for row in csv.reader(file) if row]
    except FileNotFoundError as error:
        raise DataError(
            f"{path.parent} holds no {TABLE}; write one with the column id and a column per property."
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
    taken = {*IDENTITY_COLUMNS, "group", "text_single", "text_key", "text_all"}
    taken |= {f"{kind}_{channel}" for kind in ("image", "density", "is_noise") for channel in CHANNELS}
    if clash := taken & set(units):
        raise DataError(f"{path} has the column {min(clash)}, which every dataset has already; give it another name.")
    if short := next((number for number, line in enumerate(lines, 2) if len(line) != len(names)), None):
        raise DataError(f"{path}, row {short}: it has not as many cells as the header.")
    records = [dict(zip(names, (cell.strip() for cell in line), strict=True)) for line in lines]
    if len({record["id"] for record in records}) < len(records):
        raise DataError(f"{path} has an id more than once; keep one row per id.")
    return units, records


def read_about(path: Path) -> About:
    """What `dataset.yaml` says, or the usual where there is none. Raises DataError if it says what it cannot."""
    if not path.exists():
        return About()
    try:
        return About.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")) or {})
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the whole"
        raise DataError(f"{path}: {where}: {first['msg']}.") from error
    except (yaml.YAMLError, UnicodeError) as error:
        raise DataError(f"{path} is no YAML: {' '.join(str(error).split())[:200]}.") from error
