"""Which crystals of the Materials Project become a dataset: ask, flatten, drop what is incomplete, remember."""

from __future__ import annotations

import hashlib
import inspect
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from ...benchmark.errors import DataError, MissingExtraError, unknown_name
from ...benchmark.storage import replacing, write_json
from .crystal import FCC
from .material import Material
from .mp_client import MaterialsProject
from .mp_columns import COLUMNS, FIELDS, flatten

DEFAULT_FILTER: dict[str, Any] = {"is_stable": True, "spacegroup_number": list(FCC)}
_CHUNK = 200
_ID = re.compile(r"(mp|mvc)-[0-9a-z]+")
_NOT_FILTERS = {"self", "material_ids", "num_chunks", "chunk_size", "all_fields", "fields", "kwargs"}


@dataclass(frozen=True)
class Selection:
    """The crystals that were chosen, kept in a file.

    Attributes:
        file: one JSON document per line.
        database: version of the database that was asked.
        found: crystals that match the filter.
        complete: those with a value in every column.
        missing: by column, crystals without a value (`missing`), and without this value alone (`only`).
        absent: ids that were asked for and do not exist.
    """

    file: Path
    database: str
    found: int
    complete: int
    missing: Mapping[str, Mapping[str, int]]
    absent: Sequence[str]

    def materials(self, limit: int | None) -> Iterator[Material]:
        """The complete ones, or the first `limit` of them, read line by line."""
        with self.file.open(encoding="utf-8") as lines:
            for line in islice(lines, limit):
                yield Material(**json.loads(line))


def read_filter(given: Sequence[str]) -> dict[str, Any]:
    """Filters as `NAME=VALUE`, on top of the usual ones (stable, face-centred cubic).

    A value is a number, `true` or `false`, a range `LOW:HIGH`, a list `A,B`, or a word; `any` drops a usual filter.

    Raises:
        DataError: no such filter, or no value.
        MissingExtraError: the client of the Materials Project is not installed.
    """
    try:
        from mp_api.client.routes.materials.summary import SummaryRester
    except ImportError as error:
        raise MissingExtraError("Asking the Materials Project", "build") from error
    known = [n for n in inspect.signature(SummaryRester.search).parameters if n not in _NOT_FILTERS and n[0] != "_"]
    chosen = dict(DEFAULT_FILTER)
    for entry in given:
        name, equals, value = entry.partition("=")
        if not equals or not value:
            raise DataError(f"The filter '{entry}' is not NAME=VALUE, as in num_elements=2 or band_gap=0.1:3.")
        if name not in known:
            raise DataError(unknown_name("filter", name, known, f"There are {', '.join(known)}."))
        chosen[name] = _value(value)
    return {name: value for name, value in chosen.items() if value != "any"}


def read_ids(file: Path) -> list[str]:
    """Ids from a file, one per line or in its first column.

    Raises:
        DataError: the file cannot be read, or holds what is no id.
    """
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeError) as error:
        raise DataError(f"The ids cannot be read from {file} ({type(error).__name__}).") from error
    cells = [re.split(r"[,;\s]", line.strip(), maxsplit=1)[0] for line in lines if line.strip()]
    ids = list(dict.fromkeys(cells[1:] if cells and cells[0] in ("id", "material_id") else cells))
    if odd := [one for one in ids if not _ID.fullmatch(one)]:
        raise DataError(f"{file} has '{odd[0]}', which is no id of the Materials Project, as mp-149 is.")
    if not ids:
        raise DataError(f"{file} holds no ids; write one per line, as mp-149.")
    return ids


def select(
    project: MaterialsProject,
    folder: Path,
    filters: Mapping[str, Any],
    ids: Sequence[str] | None,
    progress: Callable[[int, int, str], None],
) -> Selection:
    """Ask for crystals and keep the complete ones in `folder`; asked once, a rerun takes what is there.

    Args:
        project: the Materials Project.
        folder: where lists of crystals are kept.
        filters: as `read_filter` gives them.
        ids: these crystals instead of those that match the filters.
        progress: called with queries done, in all, and a few words.

    Raises:
        DataError: no crystal matches, or none is complete.
        ServiceError, KeyRejectedError: the server does not answer, or does not accept the key.
    """
    asked = {"filter": dict(filters)} if ids is None else {"ids": list(ids)}
    digest = hashlib.sha256(json.dumps([asked, FIELDS], sort_keys=True).encode()).hexdigest()[:12]
    summary, file = folder / f"query-{digest}.json", folder / f"query-{digest}.jsonl"
    selection = _remembered(file, summary)
    if selection is None:
        _ask(project, asked, file, summary, progress)
        selection = Selection(file, **json.loads(summary.read_text(encoding="utf-8")))
    if selection.found == 0:
        raise DataError("No crystal of the Materials Project matches; widen the filter, or check the ids.")
    if selection.complete == 0:
        raise DataError(
            f"{selection.found} crystals match, and none of them has a value in every column; widen the filter."
        )
    return selection


def _remembered(file: Path, summary: Path) -> Selection | None:
    try:
        return Selection(file, **json.loads(summary.read_text(encoding="utf-8"))) if file.is_file() else None
    except (OSError, ValueError, TypeError):
        return None


def _ask(
    project: MaterialsProject,
    asked: Mapping[str, Any],
    file: Path,
    summary: Path,
    progress: Callable[[int, int, str], None],
) -> None:
    count, missing, only = Counter(found=0, complete=0), Counter[str](), Counter[str]()
    wanted = set(asked.get("ids", ()))
    queries = list(_queries(asked))
    with replacing(file) as path, path.open("w", encoding="utf-8") as lines:
        for done, query in enumerate(queries):
            progress(done, len(queries), f"queries, {count['found']} crystals found")
            for document in _search(project, query):
                values = flatten(document)
                gaps = [name for name, value in values.items() if value is None]
                missing.update(gaps)
                only.update(gaps if len(gaps) == 1 else [])
                count["found"] += 1
                wanted.discard(str(document["material_id"]))
                if not gaps:
                    count["complete"] += 1
                    lines.write(json.dumps(_line(document, values)) + "\n")
    database = project.patiently(lambda client: str(client.db_version))
    gaps_of = {name: {"missing": missing[name], "only": only[name]} for name in COLUMNS}
    write_json(summary, {"database": database, **count, "missing": gaps_of, "absent": sorted(wanted)})


def _queries(asked: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """One question for each space group or some hundred ids: what is answered at once stays small."""
    if "ids" in asked:
        for start in range(0, len(asked["ids"]), _CHUNK):
            yield {"material_ids": asked["ids"][start : start + _CHUNK]}
        return
    filters = asked["filter"]
    groups = filters.get("spacegroup_number")
    for group in groups if isinstance(groups, list) else [groups]:
        yield {**filters, "spacegroup_number": group} if group is not None else dict(filters)


def _search(project: MaterialsProject, query: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return project.patiently(lambda client: client.materials.summary.search(**query, all_fields=False, fields=FIELDS))


def _line(document: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "id": str(document["material_id"]),
        "formula": document["formula_pretty"],
        "spacegroup": int((document.get("symmetry") or {})["number"]),
        "properties": values,
    }


def _value(text: str) -> Any:
    if "," in text:
        return [_value(part) for part in text.split(",") if part]
    low, colon, high = text.partition(":")
    if colon:
        return tuple(_value(part) if part else None for part in (low, high))
    if text in ("true", "false"):
        return text == "true"
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
