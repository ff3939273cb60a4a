"""The published data of the paper's authors: `mp-fcc-authors` (592 images), `mp-fcc-authors-text` (781 crystals).

Properties and descriptions of 781 face-centred-cubic crystals of the Materials Project, and pictures of 592 of them:
those whose slices passed the authors' filter on extreme values. No license is stated, so nothing is redistributed: the
files are read from a local folder, or downloaded at a pinned commit, each checked against its sha256.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from ...benchmark.columns import Column
from ...benchmark.task import Target
from ..composition import parse_formula
from ..splits import hashed_fold, hashed_split
from . import DatasetFacts
from .crystals import TEXT_TIERS, text_tiers
from .moduli import BULK, ELASTIC, SHEAR, is_physical
from .mp_fcc import PROPERTIES
from .source_files import SourceFiles
from .table import TableDataset

COMMIT = "ea217cd3f5d97a7294f17f81c19672ddcbd0f1df"
# The authors' filter left 592 of the 781 crystals; its files are in a folder of their own.
ALL, FILTERED = "FCC", "filtered_FCC"
IMAGE = "image_normalized"
_FILTERED_FOLDER = "Newdata_normalized_zscore_interval/"

# Of the 25 columns, the hull distance is 0 everywhere, and in a cubic crystal k_voigt = k_reuss = k_vrh.
_NO_TARGETS = ("energy_above_hull", "k_voigt", "k_reuss")
_UNPHYSICAL = "; left out where the tabulated moduli are unphysical"
IS_METAL = Target("is_metal", "", "whether the crystal is a metal (its band gap is zero)", "classification")


def _upstream(name: str) -> str:
    return name if name.startswith(ALL) else _FILTERED_FOLDER + name.removeprefix("images/")


FILES = SourceFiles(
    "mp-fcc-authors",
    f"https://raw.githubusercontent.com/d-massa/Transfer_Learning_ElectronDensities_public/{COMMIT}/data/data_cleaning/",
    _upstream,
)


def _target(column: Column) -> Target:
    note = _UNPHYSICAL if column.name in ELASTIC else ""
    return Target(column.name, column.unit, column.description + note)


TARGETS = (*(_target(column) for column in PROPERTIES if column.name not in _NO_TARGETS), IS_METAL)


def _facts(name: str, title: str, schemes: tuple[str, ...], *images: Column) -> DatasetFacts:
    meaning = {
        "official": "by a hash of the id",
        "authors": "of the authors' code, 414/89/89; folds by a hash of the id",
        "grouped": "that keeps chemical systems together, by a hash of the system",
    }
    return DatasetFacts(
        id=name,
        title=title,
        columns=(
            Column("id", "string", "id", description="id of the crystal in the Materials Project"),
            Column("formula", "string", "input", description="chemical formula"),
            Column("chemical_system", "string", "group", description="elements in alphabetical order"),
            *(Column(f"split_{one}", "string", "split", description=f"split {meaning[one]}") for one in schemes),
            *(Column(f"fold_{one}", "integer", "fold", description=f"fold of scheme {one}") for one in schemes),
            *images,
            *(Column(f"text_{tier}", "string", "input", description=f"text tier {tier}") for tier in TEXT_TIERS),
            *(column for column in PROPERTIES if column.name in _NO_TARGETS),
            *(target.column() for target in TARGETS if target is not IS_METAL),
            IS_METAL.column("boolean"),
        ),
        targets=TARGETS,
        group="chemical system",
        provenance=(
            "properties, texts and pictures: public repository of the authors of arXiv:2401.09301 at commit "
            f"{COMMIT[:7]}, values of the Materials Project; moduli that no stable crystal has are left out (bulk "
            "moduli of zero or less; shear moduli of zero or less, or with a Reuss average above the Voigt average)"
        ),
        license="not stated by the source; not redistributed",
        citation="Massa, Papanikolaou and Sankowski, arXiv:2401.09301; Jain et al., APL Mater. 1, 011002 (2013)",
    )


WITH_IMAGES = _facts(
    "mp-fcc-authors",
    "the pictures, texts and properties that the authors of arXiv:2401.09301 published",
    ("official", "authors", "grouped"),
    Column(
        IMAGE,
        "image",
        "input",
        description="(111) slice, viridis, each stretched to its own extremes, so that the scale of the density is "
        "lost; most likely of the spin density",
    ),
)
ALL_CRYSTALS = _facts(
    "mp-fcc-authors-text",
    "texts and properties of all 781 crystals of arXiv:2401.09301, without pictures",
    ("official", "grouped"),
)


class AuthorsFiles:
    """The columns of both datasets, from the authors' files.

    Args:
        folder: the files.
        table: which of their tables is read, `FCC` or `filtered_FCC`.
        authors_split: ids by split, of their code.
    """

    def __init__(self, folder: Path, table: str, authors_split: Mapping[str, list[str]]) -> None:
        self.folder = folder
        self._table = table
        self._split = {sample_id: split for split, ids in authors_split.items() for sample_id in ids}

    @cached_property
    def descriptions(self) -> dict[str, str]:
        """The robocrystallographer text of each crystal, by id."""
        return {row["MPID"]: row["Description"] for row in self._read("descriptions.csv")}

    @cached_property
    def formulas(self) -> dict[str, str]:
        """The formula, which is the first word of each text, by id."""
        return {sample_id: text.split()[0] for sample_id, text in self.descriptions.items()}

    def cells(self, column: str) -> dict[str, Any]:
        """The cells of a column by id; pictures and targets are read afresh."""
        kind, _, variant = column.partition("_")
        if kind in ("split", "fold"):
            return self._assigned(kind, variant)
        if column == IMAGE:
            images = self.folder / "images"
            return {one: (images / f"normalized_data_{one}.png").read_bytes() for one in self.formulas}
        if kind == "text" or column in ("id", "formula", "chemical_system"):
            return {one: self._fact(column, one) for one in self.formulas}
        return self._property(column)

    def _assigned(self, kind: str, scheme: str) -> dict[str, Any]:
        if (kind, scheme) == ("split", "authors"):
            return {sample_id: self._split[sample_id] for sample_id in self.formulas}
        assign = hashed_split if kind == "split" else hashed_fold
        keys = self.cells("chemical_system" if scheme == "grouped" else "id")
        return {sample_id: assign(key) for sample_id, key in keys.items()}

    def _fact(self, column: str, sample_id: str) -> str:
        formula = self.formulas[sample_id]
        if column.startswith("text_"):
            return text_tiers(formula, self.descriptions[sample_id])[column.removeprefix("text_")]
        system = "-".join(sorted(parse_formula(formula)))
        return {"id": sample_id, "formula": formula, "chemical_system": system}[column]

    def _property(self, name: str) -> dict[str, Any]:
        source = "band_gap" if name == IS_METAL.name else name
        values = {}
        for row in self._read("properties.csv" if self._table == FILTERED else "properties_w_dens.csv"):
            moduli = {key: float(row[key]) for key in (*BULK, *SHEAR)}
            value = float(row[source]) if is_physical(name, moduli) else None
            values[row[""]] = value == 0 if name == IS_METAL.name else value
        return values

    def _read(self, name: str) -> list[dict[str, str]]:
        with (self.folder / f"{self._table}_{name}").open(newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))


@dataclass(frozen=True)
class AuthorsDataset:
    """The definition of one of the two datasets.

    Attributes:
        facts: what is known of it.
        table: which of the authors' tables it is made from.
    """

    facts: DatasetFacts
    table: str

    def manifest(self, data_dir: Path) -> dict[str, Any]:
        """The packaged manifest."""
        return FILES.manifest["datasets"][self.facts.id]

    def presence(self, data_dir: Path) -> str:
        """Whether the files are there."""
        return FILES.presence(data_dir)

    def open(self, data_dir: Path) -> TableDataset:
        """Open and check the files. Raises DataError where one is absent or differs from the pinned one."""
        source = AuthorsFiles(FILES.checked_folder(data_dir), self.table, FILES.manifest["authors_split"])
        return TableDataset(self.facts.columns, source.cells, self.manifest(data_dir)["column_sha256"])

    def fetch(self, data_dir: Path, progress: Callable[[int, int], None]) -> Path:
        """Download what is missing, as `SourceFiles.fetch` says."""
        return FILES.fetch(data_dir, progress)


WITH_IMAGES_DATASET = AuthorsDataset(WITH_IMAGES, FILTERED)
ALL_CRYSTALS_DATASET = AuthorsDataset(ALL_CRYSTALS, ALL)
