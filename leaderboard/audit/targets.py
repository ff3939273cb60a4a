"""Targets that say little."""

from __future__ import annotations

from collections import Counter

import numpy as np
from pydantic import BaseModel

from ...benchmark.task import SPLITS, TaskData

_POOR = 0.01


class TargetAudit(BaseModel):
    """How much the targets can tell.

    Attributes:
        distinct: different values.
        commonest: the value that most rows have.
        commonest_share: the share of rows that have it.
        poor_splits: splits whose targets are all the same, or differ by less than a hundredth of what all do.
        std: standard deviation by split.
        mean: mean by split.
    """

    distinct: int
    commonest: float
    commonest_share: float
    poor_splits: list[str]
    std: dict[str, float]
    mean: dict[str, float]


def audit_targets(data: TaskData) -> TargetAudit:
    """Look for targets that are all the same, or mostly."""
    targets = {split: data.targets(data.splits[split]) for split in SPLITS}
    everything = np.concatenate(list(targets.values())).tolist()
    value, count = Counter(everything).most_common(1)[0]
    return TargetAudit(
        distinct=len(set(everything)),
        commonest=value,
        commonest_share=count / len(everything),
        poor_splits=[split for split, values in targets.items() if values.std() <= _POOR * np.std(everything)],
        std={split: round(float(values.std()), 6) for split, values in targets.items()},
        mean={split: round(float(values.mean()), 6) for split, values in targets.items()},
    )
