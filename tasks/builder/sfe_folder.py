"""`sfe` as a dataset folder, for publishers with permission, and the packaged manifest that pins its source files.

The manifest was generated once, by `python -m ecdbench.tasks.builder.sfe_folder FOLDER`; all copies are checked
against it.
"""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import yaml

from ...benchmark.columns import OpenDataset, column_sha256
from ...benchmark.storage import sha256_file, write_json, write_text
from ..datasets import describe_target
from ..datasets.folder import MANIFEST
from ..datasets.sfe import FACTS, SPREADSHEET, TARGET, SfeFiles, image_id, pinned
from ..splits import FOLDS, ids_by_split, spread_groups
from .blueprint import row_schema
from .croissant import write_croissant
from .dataset_card import card_header
from .writer import open_splits

_IMAGES = 137
_FRACTIONS = {"train": 0.70, "validation": 0.15, "holdout": 0.15}
_AUTHORS_SEED = 54


def write_sfe_folder(dataset: OpenDataset, out: Path) -> None:
    """Write the opened files of `sfe` as a folder that `datasets.load_dataset` reads: same rows, splits and folds."""
    schema = row_schema(FACTS.columns)
    cells = dataset.read(list(dataset.columns))
    with open_splits(out, FACTS.columns) as writer:
        for sample_id in sorted(cells["id"]):
            row = {name: column[sample_id] for name, column in cells.items()}
            row["image_total"] = {"bytes": row["image_total"], "path": None}
            writer.add(pa.Table.from_pylist([row], schema=schema))
    expected = pinned()
    manifest = {
        "dataset": FACTS.id,
        "facts": asdict(FACTS),
        "source_files": expected["files"],
        "targets": expected["targets"],
        **writer.manifest_entries(),
    }
    write_text(out / "README.md", _card(manifest))
    write_croissant(out, FACTS)
    write_json(out / MANIFEST, manifest)


def _card(manifest: dict[str, Any]) -> str:
    header = yaml.safe_dump(card_header(FACTS, "unknown"), sort_keys=False)
    columns = "\n".join(f"- `{column.name}`: {column.meaning}" for column in FACTS.columns)
    rows = " / ".join(str(count) for count in manifest["rows"].values())
    return (
        f"---\n{header}---\n\n# {FACTS.id}: {FACTS.title}\n\n"
        f"| target | unit | train / validation / holdout |\n|---|---|---|\n"
        f"| `{TARGET.name}` | {TARGET.unit} | {rows} |\n\n"
        f"## Columns\n\n{columns}\n\n## Sources\n\n{FACTS.provenance}.\n\n"
        f"## License and citation\n\nLicense: {FACTS.license}. {FACTS.citation}.\n"
    )


def make_manifest(folder: Path) -> dict[str, Any]:
    """The packaged manifest, from a folder with the source files: file hashes, splits and folds."""
    files = [SPREADSHEET, *(f"images/CHGCAR-{number}.png" for number in range(1, _IMAGES + 1))]
    ids = [image_id(number) for number in range(1, _IMAGES + 1)]
    groups = SfeFiles(folder, {}, {}).cells("group")
    grouped = spread_groups(groups, _FRACTIONS, "sfe/grouped")
    splits = {
        "official": _split_as_authors(ids, 0.3),
        "authors": _split_as_authors(ids, 0.2),
        "grouped": ids_by_split(grouped, ids, _FRACTIONS),
    }
    even = {str(fold): 1 / FOLDS for fold in range(FOLDS)}
    dealt = {
        "random": spread_groups({sample_id: sample_id for sample_id in ids}, even, "sfe/random-folds"),
        "grouped": spread_groups(groups, even, "sfe/grouped-folds"),
    }
    folds = {kind: {m: int(fold) for m, fold in sorted(assigned.items())} for kind, assigned in dealt.items()}
    source = SfeFiles(folder, splits, folds)
    official, values = source.cells("split_official"), source.cells(TARGET.name)
    return {
        "dataset": FACTS.id,
        "files": {name: sha256_file(folder / name) for name in files},
        "rows": {split: len(members) for split, members in splits["official"].items()},
        "targets": {
            TARGET.name: describe_target(np.array([values[m] for m in ids]), [official[m] for m in ids]),
        },
        "splits": splits,
        "folds": folds,
        "column_sha256": {column.name: column_sha256(source.cells(column.name)) for column in FACTS.columns},
    }


def _split_as_authors(ids: list[str], held_out: float) -> dict[str, list[str]]:
    """The procedure of the data's authors: hold out a fraction, then halve it into validation and holdout."""
    from sklearn.model_selection import train_test_split

    train, rest = train_test_split(ids, test_size=held_out, random_state=_AUTHORS_SEED, shuffle=True)
    validation, holdout = train_test_split(rest, test_size=0.5, random_state=_AUTHORS_SEED, shuffle=True)
    return {"train": sorted(train), "validation": sorted(validation), "holdout": sorted(holdout)}


if __name__ == "__main__":
    write_json(Path(__file__).parents[1] / "data" / "sfe" / "manifest.json", make_manifest(Path(sys.argv[1])))
