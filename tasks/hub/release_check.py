"""Is a dataset folder fit for release: license, schema, splits, hashes, card, and no input that reveals a target?"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from ...benchmark.errors import DataError
from ...benchmark.plain_yaml import parse_yaml
from ...benchmark.storage import sha256_file
from ...benchmark.task import SPLITS, Target
from ...benchmark.untrusted import parse_json, printable
from ..datasets import DatasetFacts
from ..datasets.arrow import row_schema
from ..datasets.folder import DatasetFolder
from ..datasets.manifest import MANIFEST, checked_file
from ..density.pictures import open_picture

_SHOWN = 5
_NOT_STATED = "not stated"
_METADATA = {b"huggingface", b"pandas", b"ARROW:schema"}
_DECIMAL = re.compile(r"(?<![\w.])\d+\.\d+(?![\w.]*\w)")
# Distances in a text have three digits; a target's value with more digits than that is no coincidence.
_TELLING_DIGITS = 4
_LONGEST_HEADER = 2**16


def check_dataset(folder: Path, permitted: bool) -> DatasetFacts:
    """Check license, schema, splits, hashes, leaks of targets, card and Croissant description.

    Args:
        folder: the dataset folder.
        permitted: the user has permission to publish data whose license is not stated.

    Returns:
        The facts that the dataset states about itself.

    Raises:
        DataError: it is not fit; the message lists the problems.
    """
    dataset = DatasetFolder(folder, "Build it again.")
    dataset.verify()
    facts = dataset.facts
    check_license(facts, permitted)
    problems = list(islice(_problems(dataset, facts), _SHOWN))
    if problems:
        raise DataError(f"{folder} is not fit for release. Fix this and build it again: {'; '.join(problems)}.")
    return facts


def check_license(facts: DatasetFacts, permitted: bool) -> None:
    """Refuse data whose license is not stated, unless the user has permission. Raises DataError."""
    if facts.license.lower().startswith(_NOT_STATED) and not permitted:
        raise DataError(
            f"{facts.id} is not published: its license is '{facts.license}'. Publish it only with the owner's "
            "permission, by --i-have-permission; for data of your own, state a license in dataset.yaml and build again."
        )


def find_leaks(row: Mapping[str, Any], facts: DatasetFacts) -> Iterator[str]:
    """Find where the texts or the pictures that a row offers as inputs mention a target, its unit or its value.

    Args:
        row: of the dataset.
        facts: of the dataset.

    Yields:
        A clause for each leak.
    """
    for column in facts.columns:
        value = row.get(column.name)
        if column.role != "input" or not isinstance(value, (str, bytes)):
            continue
        text = _picture_metadata(value) if isinstance(value, bytes) else value
        for target in facts.targets:
            if mention := _mention(text, target):
                yield f"{row['id']}: {column.name} mentions {target.name} ('{mention}')"
            elif number := _matching_number(text, row.get(target.name)):
                yield f"{row['id']}: {column.name} holds the value of {target.name} ({number})"


def _mention(text: str, target: Target) -> str | None:
    names = {target.name, target.name.replace("_", " "), target.unit}
    pattern = "|".join(rf"(?<![\w/]){re.escape(name)}(?![\w/])" for name in sorted(names) if len(name) > 1)
    found = re.search(pattern, text, re.IGNORECASE if target.unit.islower() else 0) if pattern else None
    return found[0] if found else None


def _matching_number(text: str, value: float | bool | None) -> str | None:
    if value is None or isinstance(value, bool):
        return None
    for number in _DECIMAL.findall(text):
        digits, decimals = len(number.replace(".", "").lstrip("0")), len(number.partition(".")[2])
        if digits >= _TELLING_DIGITS and abs(float(number) - abs(value)) <= 0.5 * 10.0**-decimals:
            return number
    return None


def _picture_metadata(image: bytes) -> str:
    with open_picture(image) as picture:
        return " ".join(f"{key} {value}" for key, value in picture.info.items() if isinstance(value, str))


def _problems(dataset: DatasetFolder, facts: DatasetFacts) -> Iterator[str]:
    yield from _schema_problems(dataset.folder, facts)
    yield from _row_problems(dataset, facts)
    yield from _manifest_problems(dataset.manifest)
    yield from _card_problems(checked_file(dataset.folder, "README.md"))
    yield from _croissant_problems(dataset.folder)


def _schema_problems(folder: Path, facts: DatasetFacts) -> Iterator[str]:
    described = row_schema(facts.columns)
    for split in SPLITS:
        schema = pq.read_schema(folder / f"{split}.parquet")
        for name in sorted(set(schema.names) - set(described.names)):
            yield f"{split}.parquet has the column {printable(name)[:60]}, which {MANIFEST} does not describe"
        for field in described:
            if field.name in schema.names and schema.field(field.name).type != field.type:
                yield f"the column {field.name} of {split}.parquet is {schema.field(field.name).type}, not {field.type}"
        for key in sorted(set(schema.metadata or {}) - _METADATA):
            yield f"{split}.parquet has unknown metadata ({printable(key.decode(errors='replace'))[:60]})"


def _row_problems(dataset: DatasetFolder, facts: DatasetFacts) -> Iterator[str]:
    for split in SPLITS:
        for row in dataset.stream(split):
            yield from find_leaks(row, facts)
        for names in _image_paths(dataset.folder / f"{split}.parquet", facts):
            if names:
                yield f"{split}.parquet has file names of pictures, such as {names[0]}, which may reveal a target"


def _image_paths(path: Path, facts: DatasetFacts) -> Iterator[list[str]]:
    with pq.ParquetFile(path) as file:
        for column in facts.columns:
            if column.kind == "image" and column.name in file.schema_arrow.names:
                for batch in file.iter_batches(columns=[f"{column.name}.path"]):
                    yield [name for name in batch.column(0).field("path").to_pylist() if name]


def _manifest_problems(manifest: dict[str, Any]) -> Iterator[str]:
    """The manifest lists ids, but must not hold a value for each of them."""
    ids = {sample_id for split in SPLITS for sample_id in manifest.get("ids", {}).get(split, ())}

    def walk(value: Any, where: str) -> Iterator[str]:
        if isinstance(value, dict):
            if ids & set(value):
                yield f"{MANIFEST} has a value per row at {where}"
            for key, inner in value.items():
                yield from walk(inner, f"{where}.{key}")

    yield from walk(manifest, "top")


def _card_problems(card: Path) -> Iterator[str]:
    try:
        _, header, body = card.read_text(encoding="utf-8").split("---\n", 2)
        if len(header) > _LONGEST_HEADER:
            yield f"the card's header has more than {_LONGEST_HEADER:,} characters"
            return
        stated = parse_yaml(header)
        for name in ("pretty_name", "license", "tags", "configs"):
            if not stated.get(name):
                yield f"the card's header has no {name}"
        splits = [file["split"] for config in stated.get("configs", []) for file in config["data_files"]]
        if sorted(splits) != sorted(SPLITS):
            yield "the card's header does not name the three splits"
        for section in ("## License and citation", "| target |"):
            if section not in body:
                yield f"the card lacks the section '{section.strip('# |')}'"
    except (OSError, ValueError, AttributeError, KeyError, TypeError):
        yield "README.md is not a dataset card with a YAML header"


def _croissant_problems(folder: Path) -> Iterator[str]:
    try:
        files = parse_json(checked_file(folder, "croissant.json").read_text(encoding="utf-8"))["distribution"]
        stated = {file["name"]: file["sha256"] for file in files}
    except (OSError, ValueError, KeyError, TypeError):
        yield "croissant.json is missing or cannot be read"
        return
    for split in SPLITS:
        if stated.get(f"{split}.parquet") != sha256_file(folder / f"{split}.parquet"):
            yield f"croissant.json describes another {split}.parquet"
