"""Which crystals of the Materials Project become `mp-fcc`: query, drop incomplete ones, remember, plan the build."""

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
from ..datasets.mp_fcc import FACTS
from .assembly import Plan
from .blueprint import Blueprint
from .crystal import FCC_SPACEGROUPS, Crystal
from .materials_project import FIELDS, KINDS, MaterialsProject, flatten
from .writer import WORK

DEFAULT_FILTER: dict[str, Any] = {"is_stable": True, "spacegroup_number": list(FCC_SPACEGROUPS)}
_IDS_PER_QUERY = 200
_ID = re.compile(r"(mp|mvc)-[0-9a-z]+")
_NOT_FILTERS = {"self", "material_ids", "num_chunks", "chunk_size", "all_fields", "fields", "kwargs"}
# Called with queries done, queries in all, and a few words.
QueryProgress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class Selection:
    """The selected crystals, kept in a file.

    Attributes:
        file: one JSON document per line.
        database: version of the database that was queried.
        found: number of crystals that match the filter.
        complete: how many of them have a value in every column.
        missing: by column, crystals without a value (`missing`), and crystals that lack only this one (`only`).
        absent: requested ids that do not exist.
    """

    file: Path
    database: str
    found: int
    complete: int
    missing: Mapping[str, Mapping[str, int]]
    absent: Sequence[str]

    def crystals(self, limit: int | None) -> Iterator[Crystal]:
        """The complete crystals, or the first `limit` of them, streamed from the file."""
        with self.file.open(encoding="utf-8") as lines:
            for line in islice(lines, limit):
                yield Crystal(**json.loads(line))


def plan_mp_fcc(
    project: MaterialsProject,
    out: Path,
    filters: Mapping[str, Any],
    ids: Sequence[str] | None = None,
    limit: int | None = None,
    progress: QueryProgress = lambda done, total, words: None,
) -> tuple[Plan, Selection]:
    """Plan a build of `mp-fcc`, or of other crystals of the Materials Project.

    Args:
        project: the Materials Project, with the user's key.
        out: the dataset folder; the selection is kept in its work folder.
        filters: which crystals, as `read_filter` returns them.
        ids: these crystals instead of those that match the filters.
        limit: only the first so many, for a trial.
        progress: told how far the queries are.

    Returns:
        The plan, and the selection it is based on.

    Raises:
        DataError: no crystal is complete.
        ServiceError, KeyRejectedError: the server does not answer, or does not accept the key.
    """
    selection = select(project, out / WORK, filters, ids, progress)
    blueprint = Blueprint(FACTS, notes="mp-fcc")
    origin = {
        "source": {
            "database": selection.database,
            "filter": {"material_ids": f"{len(ids)} given"} if ids is not None else dict(filters),
        },
        "selection": {
            "found": selection.found,
            "complete": selection.complete,
            "limit": limit,
            "missing": selection.missing,
            "absent": list(selection.absent),
        },
    }
    total = selection.complete if limit is None else min(limit, selection.complete)
    return Plan(blueprint, project, lambda: selection.crystals(limit), total, origin), selection


def read_filter(given: Sequence[str]) -> dict[str, Any]:
    """Parse filters written as `NAME=VALUE`, on top of the defaults (stable, face-centred cubic).

    A value is a number, `true` or `false`, a range `LOW:HIGH`, a list `A,B`, or a word; `any` drops a default.

    Raises:
        DataError: an unknown filter, or one without a value.
        MissingExtraError: the client of the Materials Project is not installed.
    """
    try:
        from mp_api.client.routes.materials.summary import SummaryRester
    except ImportError as error:
        raise MissingExtraError("Querying the Materials Project", "build") from error
    known = [n for n in inspect.signature(SummaryRester.search).parameters if n not in _NOT_FILTERS and n[0] != "_"]
    chosen = dict(DEFAULT_FILTER)
    for entry in given:
        name, equals, value = entry.partition("=")
        if not equals or not value:
            raise DataError(f"Invalid filter '{entry}': expected NAME=VALUE, as in num_elements=2 or band_gap=0.1:3.")
        if name not in known:
            raise DataError(unknown_name("filter", name, known, f"There are {', '.join(known)}."))
        chosen[name] = _parse_value(value)
    return {name: value for name, value in chosen.items() if value != "any"}


def read_ids(file: Path) -> list[str]:
    """Read ids from a file, one per line or in the first column.

    Raises:
        DataError: the file cannot be read, is empty, or holds something else.
    """
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeError) as error:
        raise DataError(
            f"The ids cannot be read from {file} ({type(error).__name__}); give a text file with one id per line."
        ) from error
    cells = [re.split(r"[,;\s]", line.strip(), maxsplit=1)[0] for line in lines if line.strip()]
    ids = list(dict.fromkeys(cells[1:] if cells and cells[0] in ("id", "material_id") else cells))
    if odd := [one for one in ids if not _ID.fullmatch(one)]:
        raise DataError(f"{file} has '{odd[0]}', which is not a Materials Project id; they look like mp-149.")
    if not ids:
        raise DataError(f"{file} holds no ids; write one per line, like mp-149.")
    return ids


def select(
    project: MaterialsProject,
    folder: Path,
    filters: Mapping[str, Any],
    ids: Sequence[str] | None,
    progress: QueryProgress,
) -> Selection:
    """Query crystals and keep the complete ones in `folder`; a rerun with the same query reads them from there.

    Args:
        project: the Materials Project.
        folder: where selections are kept.
        filters: as `read_filter` returns them.
        ids: these crystals instead of those that match the filters.
        progress: told how far the queries are.

    Raises:
        DataError: no crystal matches, or none is complete.
        ServiceError, KeyRejectedError: the server does not answer, or does not accept the key.
    """
    query = {"filter": dict(filters)} if ids is None else {"ids": list(ids)}
    digest = hashlib.sha256(json.dumps([query, FIELDS], sort_keys=True).encode()).hexdigest()[:12]
    summary, file = folder / f"query-{digest}.json", folder / f"query-{digest}.jsonl"
    selection = _remembered(file, summary)
    if selection is None:
        _download_selection(project, query, file, summary, progress)
        selection = Selection(file, **json.loads(summary.read_text(encoding="utf-8")))
    if selection.found == 0:
        raise DataError("No crystal of the Materials Project matches; widen the filter, or check the ids.")
    if selection.complete == 0:
        raise DataError(
            f"{selection.found} crystals match, but none has a value in every column; widen the filter, or give "
            "other ids."
        )
    return selection


def _remembered(file: Path, summary: Path) -> Selection | None:
    try:
        return Selection(file, **json.loads(summary.read_text(encoding="utf-8"))) if file.is_file() else None
    except (OSError, ValueError, TypeError):
        return None


def _download_selection(
    project: MaterialsProject, query: Mapping[str, Any], file: Path, summary: Path, progress: QueryProgress
) -> None:
    count, missing, only = Counter(found=0, complete=0), Counter[str](), Counter[str]()
    wanted = set(query.get("ids", ()))
    requests = list(_requests(query))
    with replacing(file) as path, path.open("w", encoding="utf-8") as lines:
        for done, request in enumerate(requests):
            progress(done, len(requests), f"queries, {count['found']} crystals found")
            for document in _search(project, request):
                values = flatten(document)
                gaps = [name for name, value in values.items() if value is None]
                missing.update(gaps)
                only.update(gaps if len(gaps) == 1 else [])
                count["found"] += 1
                wanted.discard(str(document["material_id"]))
                if not gaps:
                    count["complete"] += 1
                    lines.write(json.dumps(_crystal_fields(document, values)) + "\n")
    database = project.with_retries(lambda client: str(client.db_version))
    gaps_by_column = {name: {"missing": missing[name], "only": only[name]} for name in KINDS}
    write_json(summary, {"database": database, **count, "missing": gaps_by_column, "absent": sorted(wanted)})


def _requests(query: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """One request per space group or per few hundred ids, so that a single answer stays small."""
    if "ids" in query:
        for start in range(0, len(query["ids"]), _IDS_PER_QUERY):
            yield {"material_ids": query["ids"][start : start + _IDS_PER_QUERY]}
        return
    filters = query["filter"]
    groups = filters.get("spacegroup_number")
    for group in groups if isinstance(groups, list) else [groups]:
        yield {**filters, "spacegroup_number": group} if group is not None else dict(filters)


def _search(project: MaterialsProject, request: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return project.with_retries(
        lambda client: client.materials.summary.search(**request, all_fields=False, fields=FIELDS)
    )


def _crystal_fields(document: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a `Crystal`, from a summary document."""
    return {
        "id": str(document["material_id"]),
        "formula": document["formula_pretty"],
        "spacegroup": int((document.get("symmetry") or {})["number"]),
        "properties": values,
    }


def _parse_value(text: str) -> Any:
    if "," in text:
        return [_parse_value(part) for part in text.split(",") if part]
    low, colon, high = text.partition(":")
    if colon:
        return tuple(_parse_value(part) if part else None for part in (low, high))
    if text in ("true", "false"):
        return text == "true"
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
