"""Plan a build of `mp-fcc`, or of other crystals of the Materials Project."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..mp_fcc import FACTS
from .blueprint import Blueprint
from .build import WORK, Plan
from .mp_client import MaterialsProject
from .mp_columns import COLUMNS
from .mp_query import Selection, select
from .plane import PlaneSettings


def plan(
    project: MaterialsProject,
    out: Path,
    plane: PlaneSettings,
    regrid: int | None,
    filters: Mapping[str, Any],
    ids: Sequence[str] | None = None,
    limit: int | None = None,
    progress: Callable[[int, int, str], None] = lambda done, total, words: None,
) -> tuple[Plan, Selection]:
    """What it takes to build `mp-fcc`, and which crystals were chosen for it.

    Args:
        project: the Materials Project, with the user's key.
        out: the dataset folder; the list of crystals is kept in its work folder.
        plane: which plane is cut.
        regrid: as `Blueprint.regrid`.
        filters: which crystals, as `read_filter` gives them.
        ids: these crystals instead.
        limit: only the first so many, for a trial.
        progress: called with queries done, in all, and a few words.

    Raises:
        DataError: no crystal is complete.
        ServiceError, KeyRejectedError: the server does not answer, or does not accept the key.
    """
    selection = select(project, out / WORK, filters, ids, progress)
    blueprint = Blueprint(FACTS, COLUMNS, plane, regrid, notes="mp-fcc")
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
    return Plan(blueprint, project, lambda: selection.materials(limit), total, origin), selection
