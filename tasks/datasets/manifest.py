"""The files of a dataset folder, and its manifest: facts, ids by split, statistics of targets, sha256 by column."""

from __future__ import annotations

import stat
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...benchmark.errors import DataError
from ...benchmark.task import SPLITS
from ...benchmark.untrusted import is_invisible, parse_json, printable
from ..limits import LARGEST_OTHER, LARGEST_SPLIT, LONGEST_FACT, LONGEST_ID, MOST_COLUMNS, MOST_ROWS
from . import DatasetFacts

if TYPE_CHECKING:
    from pydantic import TypeAdapter, ValidationError

MANIFEST = "manifest.json"
# The files of a published dataset; nothing else is downloaded of one.
FILES = (*(f"{split}.parquet" for split in SPLITS), MANIFEST, "README.md", "croissant.json")
_COMPANIONS = ("README.md", "failures.csv", "distributions.png", "gallery_*.png")
_REMEDY = "build or download the dataset again"


def checked_file(folder: Path, name: str) -> Path:
    """A file of a dataset folder, which may be opened; where it is absent, opening it says so.

    Raises:
        DataError: it is no regular file (a pipe never ends), a link out of the folder, or too large.
    """
    path = folder / name
    try:
        state, target = path.stat(), path.resolve()
    except OSError:
        return path
    if path.is_symlink() and not _is_inside(target, folder.resolve()):
        raise DataError(f"{path} is a link out of the folder; put the file itself there.")
    if not stat.S_ISREG(state.st_mode):
        raise DataError(f"{path} is not a regular file; a dataset consists of such files only.")
    check_size(str(path), name, state.st_size)
    return path


def companions(folder: Path) -> list[str]:
    """Names of the files beside the data that are published with them: the card, failures, figures."""
    return sorted(path.name for pattern in _COMPANIONS for path in folder.glob(pattern))


def check_size(shown: str, name: str, size: int) -> None:
    """Refuse a file of this name that has too many bytes. Raises DataError."""
    if size > (largest := LARGEST_SPLIT if name.endswith(".parquet") else LARGEST_OTHER):
        raise DataError(f"{shown} has {size:,} bytes; at most {largest:,} are read.")


def _is_inside(target: Path, folder: Path) -> bool:
    """Whether a file lies in a folder, or where the Hub's cache keeps what its folders `snapshots/COMMIT` link to."""
    is_cached = folder.parent.name == "snapshots" and target.parent == folder.parents[1] / "blobs"
    return is_cached or target.is_relative_to(folder)


def read_manifest(folder: Path) -> dict[str, Any]:
    """Read `manifest.json`.

    Raises:
        DataError: it is absent, is no manifest of this version, or names a row twice.
    """
    path = checked_file(folder, MANIFEST)
    try:
        manifest = parse_json(path.read_text(encoding="utf-8"))
        wrong = [part for part, is_right in _form_of(manifest).items() if not is_right]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        reason = printable(str(error))[:200] if isinstance(error, (ValueError, KeyError)) else type(error).__name__
        raise DataError(
            f"{folder} has no readable {MANIFEST} of this version of ecdbench ({reason}); {_REMEDY}."
        ) from error
    if wrong:
        raise DataError(f"{path} states other {wrong[0]} than this version of ecdbench reads; {_REMEDY}.")
    _check_ids(manifest["ids"], path)
    return manifest


def read_facts(manifest: Mapping[str, Any], folder: Path) -> DatasetFacts:
    """The facts that a manifest states of its dataset.

    Raises:
        DataError: they are incomplete, do not fit together, or cannot be printed.
    """
    from pydantic import ValidationError

    path = folder / MANIFEST
    try:
        facts = _adapter().validate_python(manifest["facts"])
    except ValidationError as error:
        problem = _first_problem(error)
        raise DataError(f"{path} does not describe the dataset (facts.{problem}); build it again.") from error
    for text in _texts(asdict(facts)):
        if len(text) > LONGEST_FACT or any(map(is_invisible, text)):
            raise DataError(
                f"{path} has a text of more than {LONGEST_FACT:,} characters, or with one that controls a terminal; "
                "correct it."
            )
    if manifest.get("dataset") != facts.id:
        raise DataError(f"{path} lacks the dataset's name; build it again.")
    if strange := {column.name for column in facts.columns} ^ set(manifest["column_sha256"]):
        raise DataError(f"{path} describes or hashes {printable(min(strange))[:100]}, and not both; build it again.")
    if strange := {target.name for target in facts.targets} - set(manifest["targets"]):
        raise DataError(f"{path} has no statistics of the target {min(strange)}; build it again.")
    return facts


def _form_of(manifest: Any) -> dict[str, bool]:
    """Whether each part of a manifest that is read has its form. Raises KeyError or TypeError where one is absent."""
    statistics = [one for of_target in manifest["targets"].values() for one in ({**of_target, "rows": 0}).values()]
    return {
        "ids": all(isinstance(one, str) for split in SPLITS for one in manifest["ids"][split]),
        "hashes": all(isinstance(digest, str) for digest in manifest["column_sha256"].values()),
        "facts": all(len(manifest["facts"][part]) <= MOST_COLUMNS for part in ("columns", "targets")),
        "statistics": all(one is None or isinstance(one, (int, float)) for one in statistics)
        and all(isinstance(n, int) for of_target in manifest["targets"].values() for n in of_target["rows"].values()),
    }


def _check_ids(ids: Mapping[str, list[str]], path: Path) -> None:
    """Refuse too many rows, ids that cannot be printed, and a row that is there twice. Raises DataError."""
    if (count := sum(len(ids[split]) for split in SPLITS)) > MOST_ROWS:
        raise DataError(f"{path} has {count:,} rows; at most {MOST_ROWS:,} are read.")
    seen: dict[str, str] = {}
    for split in SPLITS:
        for one in ids[split]:
            if not 0 < len(one) <= LONGEST_ID or not one.isprintable():
                raise DataError(
                    f"{path} has the id {one[:LONGEST_ID]!r}; an id has 1 to {LONGEST_ID} printable characters."
                )
            if one in seen:
                raise DataError(f"{path}: {one} is in {seen[one]} and in {split}; a row is in one split, once.")
            seen[one] = split


@cache
def _adapter() -> TypeAdapter[DatasetFacts]:
    from pydantic import TypeAdapter

    return TypeAdapter(DatasetFacts)


def _first_problem(error: ValidationError) -> str:
    first = error.errors(include_input=False)[0]
    return printable(": ".join((".".join(map(str, first["loc"])), first["msg"])))[:300]


def _texts(value: Any) -> Iterator[str]:
    """All strings in lists and mappings of plain values."""
    if isinstance(value, str):
        yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, (list, tuple)) else ():
        yield from _texts(inner)
