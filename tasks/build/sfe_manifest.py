"""Write the packaged manifest of `sfe` from a folder with its files: hashes, splits and folds.

Run once, by `python -m ecdbench.tasks.build.sfe_manifest FOLDER`; its output is what everybody checks against.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from sklearn.model_selection import train_test_split

from ...benchmark.storage import sha256_file, write_json
from ..content import content_sha256
from ..sfe import FACTS, SPREADSHEET, SfeFolder, image_id, read_spreadsheet
from ..splits import FOLDS, ids_by_split, spread_groups

_COUNT = 137
_SHARES = {"train": 0.70, "validation": 0.15, "holdout": 0.15}


def make_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of the files in `folder`."""
    files = [SPREADSHEET, *(f"images/CHGCAR-{number}.png" for number in range(1, _COUNT + 1))]
    ids = [image_id(number) for number in range(1, _COUNT + 1)]
    dataset = SfeFolder(folder, {})
    groups = dataset.groups()
    grouped = spread_groups(groups, _SHARES, "sfe/grouped")
    splits = {
        "official": _two_cuts(ids, 0.3),
        "authors": _two_cuts(ids, 0.2),
        "grouped": ids_by_split(grouped, ids, _SHARES),
    }
    even = {str(fold): 1 / FOLDS for fold in range(FOLDS)}
    folds = {
        "random": spread_groups({material: material for material in ids}, even, "sfe/random-folds"),
        "grouped": spread_groups(groups, even, "sfe/grouped-folds"),
    }
    targets, rows = dataset.targets(FACTS.targets[0].name), dataset.rows("total", "none")
    values = [value for _, value in read_spreadsheet(folder)]
    content = {
        split: content_sha256([{"id": m, "target": targets[m], **rows[m]} for m in members])
        for split, members in splits["official"].items()
    }
    return {
        "dataset": FACTS.id,
        "files": {name: sha256_file(folder / name) for name in files},
        "rows": {split: len(members) for split, members in splits["official"].items()},
        "content_sha256": content,
        "targets": {
            FACTS.targets[0].name: {
                "rows": {split: len(members) for split, members in splits["official"].items()},
                "min": min(values),
                "max": max(values),
                "mean": sum(values) / len(values),
                "std": (sum(v * v for v in values) / len(values) - (sum(values) / len(values)) ** 2) ** 0.5,
                "share_of_zeros": 0.0,
            }
        },
        "splits": splits,
        "folds": {kind: {m: int(fold) for m, fold in sorted(parts.items())} for kind, parts in folds.items()},
    }


def _two_cuts(ids: list[str], held_out: float) -> dict[str, list[str]]:
    """The authors' procedure, seed 54: cut off a share, then cut that in half."""
    train, rest = train_test_split(ids, test_size=held_out, random_state=54, shuffle=True)
    validation, holdout = train_test_split(rest, test_size=0.5, random_state=54, shuffle=True)
    return {"train": sorted(train), "validation": sorted(validation), "holdout": sorted(holdout)}


if __name__ == "__main__":
    write_json(Path(__file__).parents[1] / "data" / "sfe" / "manifest.json", make_manifest(Path(sys.argv[1])))
