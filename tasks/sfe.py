"""The dataset `sfe`: 137 charge-density images of nickel alloys and their stacking-fault energies.

The files belong to the public repository of Arora et al. and are not redistributed: they are read from a local
folder, or downloaded from the repository at a pinned commit, each checked against its sha256.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..benchmark.errors import DataError
from ..benchmark.storage import sha256_file
from ..benchmark.task import Target
from .definition import DatasetFacts
from .sfe_alloys import Alloy, read_alloys

COMMIT = "8358329"
SPREADSHEET = "SFE_information.xlsx"
_MANIFEST = Path(__file__).parent / "data" / "sfe" / "manifest.json"
_REMEDY = (
    "Run `ecdbench fetch sfe` with internet access, or put the folder with its images and SFE_information.xlsx "
    "where --data-dir (or ECDBENCH_DATA) points."
)

FACTS = DatasetFacts(
    id="sfe",
    title="Charge-density images at the stacking-fault plane of nickel alloys",
    targets=(Target("stacking_fault_energy", "mJ/m2", "stacking-fault energy of the nickel alloy"),),
    channels=("total",),
    text_tiers=("single",),
    schemes=("official", "authors", "grouped"),
    group="set of dopants",
    provenance=(
        f"Arora et al., public repository DFT_Stacking_Fault_Energy at commit {COMMIT}; dopants of the 3d, 4d and "
        "5d series are inferred from their order; formulas stand on a nominal cell of 48 sites"
    ),
    license="not stated by the source; not redistributed",
    citation="Arora, Kamrava, Tahmasebi and Aidhy, Materialia 26, 101620 (2022)",
)


def pinned() -> dict[str, Any]:
    """What is pinned: sha256 per file, explicit ids per split, folds, content hashes."""
    return json.loads(_MANIFEST.read_text(encoding="utf-8"))


def manifest(data_dir: Path) -> dict[str, Any]:
    """The packaged manifest."""
    return pinned()


def folder_in(data_dir: Path) -> Path:
    """The folder of the files: `sfe` inside the data folder, or the data folder itself."""
    return data_dir if (data_dir / SPREADSHEET).exists() else data_dir / "sfe"


def image_id(number: int) -> str:
    """The id of image `number`, 1 to 137."""
    return f"sfe-{number:03d}"


def presence(data_dir: Path) -> str:
    """Whether the files are there."""
    folder = folder_in(data_dir)
    return "present" if all((folder / name).exists() for name in pinned()["files"]) else "downloadable"


def open_dataset(data_dir: Path) -> SfeFolder:
    """Open and check the files.

    Raises:
        DataError: a file is absent or differs from the pinned one.
    """
    folder, expected = folder_in(data_dir), pinned()
    absent = [name for name in expected["files"] if not (folder / name).exists()]
    if absent:
        raise DataError(
            f"The sfe data are not in {folder} ({len(absent)} of {len(expected['files'])} files absent). {_REMEDY}"
        )
    for name, digest in expected["files"].items():
        if sha256_file(folder / name) != digest:
            raise DataError(f"{folder / name} differs from the pinned file. Delete it, then: {_REMEDY}")
    return SfeFolder(folder, expected)


def read_spreadsheet(folder: Path) -> list[tuple[str, float]]:
    """Upstream name and stacking-fault energy (mJ/m2) of image 1, 2, ..."""
    from openpyxl import load_workbook

    sheet = load_workbook(folder / SPREADSHEET, read_only=True, data_only=True)["SFEs"]
    return [(str(row[0]), float(str(row[2]))) for row in sheet.iter_rows(min_row=2, values_only=True) if row[0]]


class SfeFolder:
    """The checked files of `sfe` as an `OpenDataset`."""

    def __init__(self, folder: Path, pinned: Mapping[str, Any]) -> None:
        self.folder = folder
        self._pinned = pinned
        names = [name for name, _ in read_spreadsheet(folder)]
        self.names = {image_id(i): name for i, name in enumerate(names, start=1)}
        self.alloys: dict[str, Alloy] = dict(zip(self.names, read_alloys(names), strict=True))

    def rows(self, channel: str, text: str) -> dict[str, dict[str, Any]]:
        """Inputs by id, as `OpenDataset.rows` says. The text tier `single` is the formula."""
        rows = {}
        for number, material in enumerate(self.names, start=1):
            formula = self.alloys[material].formula
            image = (self.folder / "images" / f"CHGCAR-{number}.png").read_bytes()
            rows[material] = {"image": image, "formula": formula} | ({"text": formula} if text != "none" else {})
        return rows

    def table(self) -> list[dict[str, Any]]:
        """One mapping per image: id, upstream name, formula, configuration, whether the dopants are inferred,
        group. Everything about a row except its image and target."""
        return [
            {
                "id": material,
                "name": self.names[material],
                "formula": alloy.formula,
                "configuration": alloy.configuration,
                "dopants_inferred": alloy.inferred,
                "group": alloy.group,
            }
            for material, alloy in self.alloys.items()
        ]

    def targets(self, target: str) -> dict[str, float]:
        """Stacking-fault energy by id, mJ/m2."""
        return {image_id(i): value for i, (_, value) in enumerate(read_spreadsheet(self.folder), start=1)}

    def split_of(self, scheme: str) -> Mapping[str, str]:
        """Split by id."""
        return {material: split for split, ids in self._pinned["splits"][scheme].items() for material in ids}

    def fold_of(self, scheme: str) -> Mapping[str, int]:
        """Fold by id."""
        return self._pinned["folds"]["grouped" if scheme == "grouped" else "random"]

    def groups(self) -> Mapping[str, str]:
        """Set of dopants by id."""
        return {material: alloy.group for material, alloy in self.alloys.items()}
