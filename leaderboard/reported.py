"""Values from the literature: reported, not recomputed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml


@dataclass(frozen=True)
class Reported:
    """A row of the literature.

    Attributes:
        task: the task that is nearest to what was reported.
        model: what was reported on.
        r2: R2, as printed; empty where it is not stated.
        rmse: RMSE, as printed; empty where it is not stated.
        unit: unit of the RMSE.
        split: what was scored.
        source: where it is printed: paper and table, or files.
        note: what keeps it from being compared with recomputed rows.
        train, validation: RMSE and R2 of the other splits, as printed; empty where they are not.
    """

    task: str
    model: str
    split: str
    source: str
    r2: str = ""
    rmse: str = ""
    unit: str = ""
    note: str = ""
    train: tuple[str, ...] = ()
    validation: tuple[str, ...] = ()


@cache
def _all() -> tuple[Reported, ...]:
    content = yaml.safe_load((Path(__file__).parent / "reported.yaml").read_text(encoding="utf-8"))
    return tuple(
        Reported(**{"source": name, **{key: value for key, value in shared.items() if key != "values"}, **_pairs(row)})
        for name, shared in content.items()
        for row in shared["values"]
    )


def reported(task: str) -> list[Reported]:
    """Literature values for a task."""
    return [entry for entry in _all() if entry.task == task]


def reported_tasks() -> list[str]:
    """Tasks that the literature says something about."""
    return list(dict.fromkeys(entry.task for entry in _all()))


def _pairs(row: dict[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in row.items()}
