"""What a reader should know of a task's data."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ..benchmark.errors import EcdbenchError
from ..benchmark.task import SPLITS, TaskData
from ..tasks.audit.report import Audit
from ..tasks.audit.tables import audit_targets
from ..tasks.catalogue import find_task
from ..tasks.load import load_task


def facts_of(task: str, data_dir: Path) -> list[tuple[str, str]]:
    """Names and texts; fewer where the data are not here."""
    place = find_task(task)
    known, target = place.dataset.FACTS, place.target
    unit = f" ({target.unit})" if target.unit else ""
    first = [("dataset", known.title), ("target", f"{target.description}{unit}")]
    last = [("provenance", known.provenance), ("license", known.license), ("to cite", known.citation)]
    try:
        data = load_task(task, data_dir=data_dir)
    except EcdbenchError:
        return first + last
    return [*first, *_of_rows(data, known.group), ("revision", data.task.revision), *last]


def _of_rows(data: TaskData, group: str) -> Iterator[tuple[str, str]]:
    """What is known of a task's rows and targets."""
    counts = ", ".join(f"{split} {len(data.splits[split])}" for split in SPLITS)
    targets, found = data.targets(data.ids), audit_targets(data)
    yield "rows", f"{counts}; {len(set(data.groups.values()))} groups ({group})"
    span = f"{targets.min():.4g} to {targets.max():.4g}"
    yield "targets", f"{span}, mean {targets.mean():.4g}, std {targets.std():.4g}"
    if found.commonest_share > 0.05:
        yield "same value", f"{found.commonest_share:.0%} of the rows have the target {found.commonest:.4g}"


def audit_of(task: str, revision: str) -> Audit | None:
    """The audit of a task that comes with the package; None where there is none of this version of the data."""
    file = Path(__file__).parent / "audits" / f"{task.replace('/', '--')}.json"
    if not file.is_file():
        return None
    found = Audit.model_validate_json(file.read_bytes())
    return found if found.revision == revision else None
