"""The packaged manifests that pin other people's files: hashes of files and columns, splits, folds.

They were generated once, by `python -m ecdbench.tasks.builder.source_manifests DATASET FOLDER`; all copies of the files
are checked against them.
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path
from typing import Any

from ...benchmark.storage import sha256_file, write_json
from ..datasets.mp_fcc_authors import ALL_CRYSTALS_DATASET, WITH_IMAGES_DATASET, AuthorsFiles
from ..datasets.sfe import FACTS, SPREADSHEET, SfeFiles, image_id
from ..datasets.table import TableDataset, describe_table
from ..splits import FOLDS, ids_by_split, spread_groups

_IMAGES = 137
_FRACTIONS = {"train": 0.70, "validation": 0.15, "holdout": 0.15}
_SFE_SEED, _FCC_SEED = 54, 420
_TABLES = (
    "FCC_properties_w_dens.csv",
    "FCC_descriptions.csv",
    "filtered_FCC_properties.csv",
    "filtered_FCC_descriptions.csv",
)


def sfe_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of `sfe`, from a folder with the source files."""
    files = [SPREADSHEET, *(f"images/CHGCAR-{number}.png" for number in range(1, _IMAGES + 1))]
    ids = [image_id(number) for number in range(1, _IMAGES + 1)]
    groups = SfeFiles(folder, {}, {}).cells("group")
    grouped = spread_groups(groups, _FRACTIONS, "sfe/grouped")
    splits = {
        "official": _split_as_authors(ids, 0.3, _SFE_SEED),
        "authors": _split_as_authors(ids, 0.2, _SFE_SEED),
        "grouped": ids_by_split(grouped, ids, _FRACTIONS),
    }
    even = {str(fold): 1 / FOLDS for fold in range(FOLDS)}
    dealt = {
        "random": spread_groups({sample_id: sample_id for sample_id in ids}, even, "sfe/random-folds"),
        "grouped": spread_groups(groups, even, "sfe/grouped-folds"),
    }
    folds = {kind: {m: int(fold) for m, fold in sorted(assigned.items())} for kind, assigned in dealt.items()}
    source = SfeFiles(folder, splits, folds)
    described = describe_table(FACTS, TableDataset(FACTS.columns, source.cells))
    return {
        "files": {name: sha256_file(folder / name) for name in files},
        "splits": splits,
        "folds": folds,
        **described,
    }


def fcc_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of `mp-fcc-authors` and `mp-fcc-authors-text`, from a folder with the source files."""
    with (folder / "filtered_FCC_properties.csv").open(newline="", encoding="utf-8") as file:
        ids = [row[0] for row in csv.reader(file)][1:]
    split = _split_as_authors(ids, 0.3, _FCC_SEED)
    files = [*_TABLES, *(f"images/normalized_data_{one}.png" for one in sorted(ids))]
    return {
        "files": {name: sha256_file(folder / name) for name in files},
        "authors_split": split,
        "datasets": {
            one.facts.id: describe_table(
                one.facts, TableDataset(one.facts.columns, AuthorsFiles(folder, one.table, split).cells)
            )
            for one in (WITH_IMAGES_DATASET, ALL_CRYSTALS_DATASET)
        },
    }


def _split_as_authors(ids: list[str], held_out: float, seed: int) -> dict[str, list[str]]:
    """The procedure of both groups of authors: hold out a fraction, then halve it into validation and holdout."""
    from sklearn.model_selection import train_test_split

    train, rest = train_test_split(ids, test_size=held_out, random_state=seed, shuffle=True)
    validation, holdout = train_test_split(rest, test_size=0.5, random_state=seed, shuffle=True)
    return {"train": sorted(train), "validation": sorted(validation), "holdout": sorted(holdout)}


if __name__ == "__main__":
    dataset, source = sys.argv[1:]
    make = {"sfe": sfe_manifest, "mp-fcc-authors": fcc_manifest}[dataset]
    write_json(Path(__file__).parents[1] / "data" / dataset / "manifest.json", make(Path(source)))
