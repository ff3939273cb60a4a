"""The dataset `sfe`: 137 charge-density images of nickel alloys and their stacking-fault energies.

The files belong to the public repository of Arora et al. and are not redistributed: they are read from a local
folder, or downloaded from the repository at a pinned commit, each checked against its sha256.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ...benchmark.columns import Column
from ...benchmark.task import Target
from . import DatasetFacts
from .sfe_alloys import Alloy, read_alloys
from .source_files import SourceFiles
from .table import TableDataset

COMMIT = "8358329"
SPREADSHEET = "SFE_information.xlsx"
SCHEMES = ("official", "authors", "grouped")
TARGET = Target("stacking_fault_energy", "mJ/m2", "stacking-fault energy of the nickel alloy")
FILES = SourceFiles(
    "sfe",
    f"https://raw.githubusercontent.com/Materials-Computation-Data-Science-MCDC/DFT_Stacking_Fault_Energy/{COMMIT}/CNN/",
    lambda name: name.replace("images/", "CHGCAR_images/"),
)

FACTS = DatasetFacts(
    id="sfe",
    title="Charge-density images at the stacking-fault plane of nickel alloys",
    columns=(
        Column("id", "string", "id", description="image, by its number"),
        Column("name", "string", description="name at the source"),
        Column("formula", "string", "input", description="nominal cell of 48 sites"),
        Column("configuration", "string", description="near or far from the fault"),
        Column("dopants_inferred", "boolean", description="whether the dopants were inferred from the order of names"),
        Column("group", "string", "group", description="set of dopants"),
        *(Column(f"split_{scheme}", "string", "split", description=f"split of scheme {scheme}") for scheme in SCHEMES),
        *(Column(f"fold_{scheme}", "integer", "fold", description=f"fold of scheme {scheme}") for scheme in SCHEMES),
        Column("image_total", "image", "input", description="isolines of the charge density at the stacking fault"),
        Column("text_single", "string", "input", description="text tier single, the formula"),
        TARGET.column(),
    ),
    targets=(TARGET,),
    group="set of dopants",
    provenance=(
        f"Arora et al., public repository DFT_Stacking_Fault_Energy at commit {COMMIT}; dopants of the 3d, 4d and "
        "5d series are inferred from their order; formulas stand on a nominal cell of 48 sites"
    ),
    license="not stated by the source; not redistributed",
    citation="Arora, Kamrava, Tahmasebi and Aidhy, Materialia 26, 101620 (2022)",
)


def image_id(number: int) -> str:
    """The id of image `number`, 1 to 137."""
    return f"sfe-{number:03d}"


def read_spreadsheet(folder: Path) -> list[tuple[str, float]]:
    """Upstream name and stacking-fault energy (mJ/m2) of image 1, 2, ..."""
    from openpyxl import load_workbook

    sheet = load_workbook(folder / SPREADSHEET, read_only=True, data_only=True)["SFEs"]
    return [(str(row[0]), float(str(row[2]))) for row in sheet.iter_rows(min_row=2, values_only=True) if row[0]]


class SfeFiles:
    """The columns of `sfe` from its files.

    Args:
        folder: the files.
        splits: ids by scheme and split.
        folds: fold by kind (`random`, `grouped`) and id.
    """

    def __init__(
        self,
        folder: Path,
        splits: Mapping[str, Mapping[str, list[str]]],
        folds: Mapping[str, Mapping[str, int]],
    ) -> None:
        self.folder, self._splits, self._folds = folder, splits, folds
        names = [name for name, _ in read_spreadsheet(folder)]
        self.names = {image_id(i): name for i, name in enumerate(names, start=1)}
        self.alloys: dict[str, Alloy] = dict(zip(self.names, read_alloys(names), strict=True))

    def cells(self, column: str) -> dict[str, Any]:
        """The cells of a column by id; images and targets are read afresh."""
        kind, _, scheme = column.partition("_")
        if kind == "split":
            return {sample_id: split for split, ids in self._splits[scheme].items() for sample_id in ids}
        if kind == "fold":
            return dict(self._folds["grouped" if scheme == "grouped" else "random"])
        if column == "image_total":
            images = (self.folder / "images" / f"CHGCAR-{n}.png" for n in range(1, len(self.names) + 1))
            return {sample_id: path.read_bytes() for sample_id, path in zip(self.names, images, strict=True)}
        if column == TARGET.name:
            return {image_id(i): value for i, (_, value) in enumerate(read_spreadsheet(self.folder), start=1)}
        return {sample_id: self._fact(column, sample_id) for sample_id in self.names}

    def _fact(self, column: str, sample_id: str) -> Any:
        alloy = self.alloys[sample_id]
        return {
            "id": sample_id,
            "name": self.names[sample_id],
            "formula": alloy.formula,
            "text_single": alloy.formula,
            "configuration": alloy.configuration,
            "dopants_inferred": alloy.inferred,
            "group": alloy.group,
        }[column]


class StackingFaults:
    """The definition of `sfe`: files in the data folder, which can be downloaded."""

    facts = FACTS

    def manifest(self, data_dir: Path) -> dict[str, Any]:
        """The packaged manifest."""
        return FILES.manifest

    def presence(self, data_dir: Path) -> str:
        """Whether the files are there."""
        return FILES.presence(data_dir)

    def open(self, data_dir: Path) -> TableDataset:
        """Open and check the files. Raises DataError where one is absent or differs from the pinned one."""
        pinned = FILES.manifest
        source = SfeFiles(FILES.checked_folder(data_dir), pinned["splits"], pinned["folds"])
        return TableDataset(FACTS.columns, source.cells, pinned["column_sha256"])

    def fetch(self, data_dir: Path, progress: Callable[[int, int], None]) -> Path:
        """Download what is missing, as `SourceFiles.fetch` says."""
        return FILES.fetch(data_dir, progress)
