"""Datasets in other people's files, as a folder that `datasets.load_dataset` reads, for publishers with permission."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import yaml

from ...benchmark.columns import OpenDataset
from ...benchmark.storage import write_json, write_text
from ..datasets import DatasetFacts
from ..datasets.manifest import MANIFEST
from .croissant import write_croissant
from .dataset_card import card_header
from .writer import open_splits


def write_table_folder(facts: DatasetFacts, targets: Mapping[str, Any], dataset: OpenDataset, out: Path) -> None:
    """Write an opened dataset as a folder: same rows, splits and folds.

    Args:
        facts: of the dataset.
        targets: statistics of its targets, as `describe_target` makes them.
        dataset: the opened dataset.
        out: the folder.
    """
    cells = dataset.read(list(dataset.columns))
    with open_splits(out, facts.columns) as writer:
        for sample_id in sorted(cells["id"]):
            writer.add_row({name: column[sample_id] for name, column in cells.items()})
    manifest = {
        "dataset": facts.id,
        "facts": asdict(facts),
        "targets": targets,
        **writer.manifest_entries(),
    }
    write_text(out / "README.md", _card(facts, manifest))
    write_croissant(out, facts)
    write_json(out / MANIFEST, manifest)


def _card(facts: DatasetFacts, manifest: Mapping[str, Any]) -> str:
    header = yaml.safe_dump(card_header(facts, "unknown"), sort_keys=False)
    columns = "\n".join(f"- `{column.name}`: {column.meaning}" for column in facts.columns)
    rows = {name: " / ".join(map(str, one["rows"].values())) for name, one in manifest["targets"].items()}
    targets = "\n".join(f"| `{target.name}` | {target.unit} | {rows[target.name]} |" for target in facts.targets)
    return (
        f"---\n{header}---\n\n# {facts.id}: {facts.title}\n\n"
        f"| target | unit | train / validation / holdout |\n|---|---|---|\n{targets}\n\n"
        f"## Columns\n\n{columns}\n\n## Sources\n\n{facts.provenance}.\n\n"
        f"## License and citation\n\nLicense: {facts.license}. {facts.citation}.\n"
    )
