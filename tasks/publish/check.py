"""Is a dataset folder fit to be published?"""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from ...benchmark.errors import DataError
from ...benchmark.storage import sha256_file
from ...benchmark.task import SPLITS
from ..definition import DatasetFacts
from ..folder import MANIFEST, DatasetFolder, read_facts
from .leaks import find_leaks

_SHOWN = 5
_NOT_STATED = "not stated"
_METADATA = {b"huggingface", b"pandas", b"ARROW:schema"}


def check_dataset(folder: Path, permitted: bool) -> DatasetFacts:
    """Check schema, splits, hashes, leaks of targets, and the card.

    Args:
        folder: the dataset folder.
        permitted: the user has permission to publish data whose license is not stated.

    Returns:
        What the dataset says of itself.

    Raises:
        DataError: it is not fit; the message lists what is wrong.
    """
    dataset = DatasetFolder(folder, "Build it again.")  # compares content hashes
    facts = read_facts(dataset.manifest, folder)
    check_license(facts, permitted)
    problems = list(islice(_problems(dataset, facts), _SHOWN))
    if problems:
        raise DataError(f"{folder} is not fit to be published. " + "; ".join(problems) + ".")
    return facts


def check_license(facts: DatasetFacts, permitted: bool) -> None:
    """Refuse data whose license is not stated, unless the user has permission. Raises DataError."""
    if facts.license.lower().startswith(_NOT_STATED) and not permitted:
        raise DataError(
            f"{facts.id} is not published: its license is '{facts.license}'. Publish it only with the owner's "
            "permission, by --i-have-permission; for data of your own, state a license in dataset.yaml and build again."
        )


def _problems(dataset: DatasetFolder, facts: DatasetFacts) -> Iterator[str]:
    yield from _schema_problems(dataset.folder, facts)
    yield from _row_problems(dataset, facts)
    yield from _manifest_problems(dataset.manifest)
    yield from _card_problems(dataset.folder / "README.md")
    yield from _croissant_problems(dataset.folder)


def _schema_problems(folder: Path, facts: DatasetFacts) -> Iterator[str]:
    schemas = {split: pq.read_schema(folder / f"{split}.parquet") for split in SPLITS}
    first = schemas[SPLITS[0]]
    needed = {"id", *(target.name for target in facts.targets), *(f"image_{channel}" for channel in facts.channels)}
    needed |= {f"{kind}_{scheme}" for kind in ("split", "fold") for scheme in facts.schemes}
    needed |= {f"text_{tier}" for tier in facts.text_tiers}
    for name in sorted(needed - set(first.names)):
        yield f"the column {name} is missing"
    for split, schema in schemas.items():
        if not schema.equals(first):
            yield f"{split}.parquet has other columns than {SPLITS[0]}.parquet"
        for key in sorted(set(schema.metadata or {}) - _METADATA):
            yield f"{split}.parquet has metadata that nobody reads ({key.decode(errors='replace')})"
    for target in facts.targets:
        if target.name in first.names and not pa.types.is_floating(first.field(target.name).type):
            yield f"the target {target.name} is no number"


def _row_problems(dataset: DatasetFolder, facts: DatasetFacts) -> Iterator[str]:
    seen: dict[str, str] = {}
    for split in SPLITS:
        ids = []
        for row in dataset.read(split):
            ids.append(row["id"])
            if row["id"] in seen:
                yield f"{row['id']} is in {seen[row['id']]} and in {split}"
            seen[row["id"]] = split
            if row.get("split_official") != split:
                yield f"{row['id']} is in {split}.parquet, and its split_official says {row.get('split_official')}"
            yield from find_leaks(row, facts.targets)
        if ids != dataset.manifest.get("ids", {}).get(split):
            yield f"the ids of {split} are not those of {MANIFEST}"
        for batch in _image_paths(dataset.folder / f"{split}.parquet", facts):
            if batch:
                yield f"{split}.parquet names files of pictures, as {batch[0]}; a name may give a target away"


def _image_paths(path: Path, facts: DatasetFacts) -> Iterator[list[str]]:
    with pq.ParquetFile(path) as file:
        for channel in facts.channels:
            if f"image_{channel}" in file.schema_arrow.names:
                for batch in file.iter_batches(columns=[f"image_{channel}.path"]):
                    yield [name for name in batch.column(0).field("path").to_pylist() if name]


def _manifest_problems(manifest: dict[str, Any]) -> Iterator[str]:
    """Ids are listed in the manifest, and no value of a row may stand beside them."""
    ids = {material for split in SPLITS for material in manifest.get("ids", {}).get(split, ())}

    def walk(value: Any, where: str) -> Iterator[str]:
        if isinstance(value, dict):
            if ids & set(value):
                yield f"{MANIFEST} has a value for each row at {where}"
            for key, inner in value.items():
                yield from walk(inner, f"{where}.{key}")

    yield from walk(manifest, "top")


def _card_problems(card: Path) -> Iterator[str]:
    try:
        _, header, body = card.read_text(encoding="utf-8").split("---\n", 2)
        stated = yaml.safe_load(header)
        for name in ("pretty_name", "license", "tags", "configs"):
            if not stated.get(name):
                yield f"the card's header has no {name}"
        splits = [file["split"] for config in stated.get("configs", []) for file in config["data_files"]]
        if sorted(splits) != sorted(SPLITS):
            yield "the card's header does not name the three splits"
        for part in ("## License and citation", "| target |"):
            if part not in body:
                yield f"the card lacks the part '{part.strip('# |')}'"
    except (OSError, ValueError, yaml.YAMLError, AttributeError, KeyError, TypeError):
        yield "README.md is no dataset card with a YAML header"


def _croissant_problems(folder: Path) -> Iterator[str]:
    try:
        files = json.loads((folder / "croissant.json").read_text(encoding="utf-8"))["distribution"]
        stated = {file["name"]: file["sha256"] for file in files}
    except (OSError, ValueError, KeyError, TypeError):
        yield "croissant.json is missing or cannot be read"
        return
    for split in SPLITS:
        if stated.get(f"{split}.parquet") != sha256_file(folder / f"{split}.parquet"):
            yield f"croissant.json describes another {split}.parquet"
