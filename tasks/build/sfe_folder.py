"""`sfe` as a dataset folder, for those who may publish it: the same rows, splits and folds as its files give."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyarrow as pa
import yaml

from ...benchmark.storage import write_json, write_text
from ..definition import OpenDataset
from ..folder import MANIFEST
from ..sfe import FACTS, pinned
from .blueprint import IMAGE_TYPE
from .card import card_header
from .splits_writer import open_splits, write_croissant

_COLUMNS = {
    "id": (pa.string(), "image, by its number"),
    "name": (pa.string(), "name at the source"),
    "formula": (pa.string(), "nominal cell of 48 sites"),
    "configuration": (pa.string(), "near or far from the fault"),
    "dopants_inferred": (pa.bool_(), "whether the dopants were inferred from the order of names"),
    "group": (pa.string(), "set of dopants; the group of the grouped scheme"),
    **{f"split_{scheme}": (pa.string(), f"split of the scheme {scheme}") for scheme in FACTS.schemes},
    **{f"fold_{scheme}": (pa.int64(), f"fold of the scheme {scheme}") for scheme in FACTS.schemes},
    "image_total": (IMAGE_TYPE, "isolines of the charge density at the stacking fault"),
    "text_single": (pa.string(), "the text tier single"),
    FACTS.targets[0].name: (pa.float64(), "stacking-fault energy, mJ/m2"),
}


def write_sfe_folder(dataset: OpenDataset, out: Path) -> None:
    """Write the opened files of `sfe` as a folder that `datasets.load_dataset` reads."""
    schema = pa.schema([(name, kind) for name, (kind, _) in _COLUMNS.items()])
    with open_splits(out, schema, None) as writer:
        for row in _rows(dataset):
            writer.add(pa.Table.from_pylist([row], schema=schema))
    expected = pinned()
    manifest = {
        "dataset": FACTS.id,
        "facts": asdict(FACTS),
        "source_files": expected["files"],
        "targets": expected["targets"],
        **writer.stated(),
    }
    write_text(out / "README.md", _card(manifest))
    write_croissant(out, FACTS, schema, {name: meaning for name, (_, meaning) in _COLUMNS.items()})
    write_json(out / MANIFEST, manifest)


def _rows(dataset: OpenDataset) -> list[dict[str, Any]]:
    inputs, targets = dataset.rows("total", "single"), dataset.targets(FACTS.targets[0].name)
    splits = {f"split_{scheme}": dataset.split_of(scheme) for scheme in FACTS.schemes}
    folds = {f"fold_{scheme}": dataset.fold_of(scheme) for scheme in FACTS.schemes}
    return [
        {
            **facts,
            **{name: of[facts["id"]] for name, of in {**splits, **folds}.items()},
            "image_total": {"bytes": inputs[facts["id"]]["image"], "path": None},
            "text_single": inputs[facts["id"]]["text"],
            FACTS.targets[0].name: targets[facts["id"]],
        }
        for facts in dataset.table()
    ]


def _card(manifest: dict[str, Any]) -> str:
    header = yaml.safe_dump(card_header(FACTS.title, "unknown"), sort_keys=False)
    columns = "\n".join(f"- `{name}`: {meaning}" for name, (_, meaning) in _COLUMNS.items())
    target, rows = FACTS.targets[0], " / ".join(str(count) for count in manifest["rows"].values())
    return (
        f"---\n{header}---\n\n# {FACTS.id}: {FACTS.title}\n\n"
        f"| target | unit | train / validation / holdout |\n|---|---|---|\n"
        f"| `{target.name}` | {target.unit} | {rows} |\n\n"
        f"## Columns\n\n{columns}\n\n## Sources\n\n{FACTS.provenance}.\n\n"
        f"## License and citation\n\nLicense: {FACTS.license}. {FACTS.citation}.\n"
    )
