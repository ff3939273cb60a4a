"""Compositions that splits share, and targets that say little."""

from __future__ import annotations

from collections import Counter

import numpy as np
from pydantic import BaseModel

from ...benchmark.formula import parse_formula
from ...benchmark.task import SPLITS, TaskData

_POOR = 0.01


class CompositionAudit(BaseModel):
    """What of the holdout was seen in training.

    Attributes:
        same_formula: holdout rows whose reduced composition a training row has.
        same_system: holdout rows whose set of elements a training row has.
        same_group: holdout rows whose group (see the dataset) a training row has.
        holdout: rows of the holdout.
    """

    same_formula: int
    same_system: int
    same_group: int
    holdout: int


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


def audit_compositions(data: TaskData) -> CompositionAudit | None:
    """Compare the holdout's compositions with those of training; None where there are no formulas."""
    if any("formula" not in data.rows[material] for material in data.splits["holdout"]):
        return None
    train = [_reduced(data.rows[material]["formula"]) for material in data.splits["train"]]
    formulas, systems = set(train), {frozenset(name for name, _ in formula) for formula in train}
    groups = {data.groups[material] for material in data.splits["train"]}
    holdout = {material: _reduced(data.rows[material]["formula"]) for material in data.splits["holdout"]}
    return CompositionAudit(
        same_formula=sum(formula in formulas for formula in holdout.values()),
        same_system=sum(frozenset(name for name, _ in formula) in systems for formula in holdout.values()),
        same_group=sum(data.groups[material] in groups for material in holdout),
        holdout=len(holdout),
    )


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


def _reduced(formula: str) -> frozenset[tuple[str, float]]:
    """A composition as shares of its elements."""
    amounts = parse_formula(formula)
    total = sum(amounts.values())
    return frozenset((name, round(amount / total, 6)) for name, amount in amounts.items())
