"""What a reader should know of a task's data."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..benchmark.errors import EcdbenchError
from ..benchmark.task import SPLITS
from ..tasks.audit.report import Audit
from ..tasks.catalogue import find_task, get_task
from ..tasks.load import load_task


def facts_of(task: str, data_dir: Path) -> list[tuple[str, str]]:
    """Names and texts; fewer where the data are not here."""
    facts = []
    try:
        place = find_task(task)
        known = place.dataset.FACTS
        target = place.target
        facts += [
            ("dataset", known.title),
            ("target", f"{target.description} ({target.unit})" if target.unit else target.description),
        ]
        facts += [("provenance", known.provenance), ("license", known.license), ("to cite", known.citation)]
        facts.insert(2, ("revision", get_task(place, data_dir).revision))
        data = load_task(task, data_dir=data_dir)
    except EcdbenchError:
        return facts
    counts = ", ".join(f"{split} {len(data.splits[split])}" for split in SPLITS)
    targets = {split: data.targets(data.splits[split]) for split in SPLITS}
    everything = np.concatenate(list(targets.values()))
    values, occurrences = np.unique(everything, return_counts=True)
    facts.insert(2, ("rows", f"{counts}; {len(set(data.groups.values()))} groups ({known.group})"))
    spread = (
        f"{everything.min():.4g} to {everything.max():.4g}, mean {everything.mean():.4g}, std {everything.std():.4g}"
    )
    facts.insert(3, ("targets", spread))
    share = occurrences.max() / len(everything)
    if share > 0.05:
        facts.insert(4, ("same value", f"{share:.0%} of the rows have the target {values[occurrences.argmax()]:.4g}"))
    return facts


def audit_of(task: str, revision: str) -> Audit | None:
    """The audit of a task that comes with the package; None where there is none of this version of the data."""
    file = Path(__file__).parent / "audits" / f"{task.replace('/', '--')}.json"
    if not file.is_file():
        return None
    found = Audit.model_validate_json(file.read_bytes())
    return found if found.revision == revision else None
