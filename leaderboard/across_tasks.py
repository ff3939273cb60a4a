"""Across tasks: the mean rank and the mean skill of the models that were run on all tasks of a protocol and split."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from ..benchmark.bootstrap import LEVEL
from ..submissions.rescoring import LeaderboardEntry

if TYPE_CHECKING:
    from .board import Section

_RESAMPLES = 2000


@dataclass(frozen=True)
class Estimate:
    """A mean over tasks with its 95 % interval; None where it has none."""

    value: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class SummaryRow:
    """A model across tasks.

    Attributes:
        model: its name.
        rank: mean rank among the models that were run on all tasks; None for one that was not.
        skill: mean skill over the tasks it was run on: one minus its error over that of the training mean. It has an
            interval where it was run on all tasks.
        tasks: the tasks it was run on.
        missing: those it was not run on.
    """

    model: str
    rank: Estimate | None
    skill: Estimate
    tasks: list[str]
    missing: list[str]


@dataclass(frozen=True)
class Summary:
    """Models across the tasks of one protocol and split scheme.

    Intervals are over tasks and samples: each resample draws tasks, and weighs each group of samples by the same random
    number in all tasks that have it.

    Attributes:
        protocol: the protocol.
        split: the split scheme.
        tasks: at least two.
        rows: by mean rank; those that miss a task come last, by the number of tasks and skill.
    """

    protocol: str
    split: str
    tasks: list[str]
    rows: list[SummaryRow]

    @property
    def title(self) -> str:
        """What the rows have in common."""
        return f"Across {len(self.tasks)} tasks, split {self.split}, protocol {self.protocol}"

    @property
    def caption(self) -> str:
        """What the numbers are, and what is missing."""
        missing = sum(bool(row.missing) for row in self.rows)
        text = (
            f"Tasks: {', '.join(self.tasks)}. Skill is 1 - error / error of the training mean. [low, high]: 95 %, over "
            "tasks and samples."
        )
        unranked = f" {missing} more miss a task: they have no rank, and their skill is that of the tasks they have."
        return text + (unranked if missing else "")


def summaries(sections: Sequence[Section]) -> list[Summary]:
    """One summary for each protocol and split scheme with at least two tasks and two models that were run on all."""
    groups: dict[tuple[str, str], dict[str, Section]] = {}
    for section in sections:
        if section.reference.metric.direction == "lower":  # an error, which a skill can be made of
            by_task = groups.setdefault((section.protocol, section.split), {})
            before = by_task.setdefault(section.task, section)
            if len(section.rows) > len(before.rows):  # of several versions of a task, the one with the most rows
                by_task[section.task] = section
    made = (_summary(*key, by_task) for key, by_task in groups.items() if len(by_task) > 1)
    return [summary for summary in made if summary]


def _summary(protocol: str, split: str, sections: Mapping[str, Section]) -> Summary | None:
    entries = {task: {e.name: e for e in section.rows if e.rank} for task, section in sections.items()}
    names = list(dict.fromkeys(name for of_task in entries.values() for name in of_task))
    complete = [name for name in names if all(name in of_task for of_task in entries.values())]
    if len(complete) < 2:
        return None
    from scipy.stats import rankdata

    weights = _Weights(e.sample.clusters for of_task in entries.values() for e in of_task.values())
    # Shape (tasks, models, 1 + resamples); what was observed comes first.
    skills = np.stack([[_skills(of_task[name], weights) for name in complete] for of_task in entries.values()])
    ranks = rankdata(-skills, axis=1)
    rows = [
        SummaryRow(name, _estimate(ranks[:, at]), _estimate(skills[:, at]), list(entries), [])
        for at, name in enumerate(complete)
    ]
    rows.sort(key=lambda row: row.rank.value if row.rank else np.inf)
    for name in names:
        if name not in complete:
            there = [task for task, of_task in entries.items() if name in of_task]
            skill = float(np.mean([_skills(entries[task][name], None)[0] for task in there]))
            missing = [task for task in entries if task not in there]
            rows.append(SummaryRow(name, None, Estimate(skill, None, None), there, missing))
    rows[len(complete) :] = sorted(rows[len(complete) :], key=lambda row: (len(row.missing), -row.skill.value))
    return Summary(protocol, split, list(entries), rows)


class _Weights:
    """How often each group of samples counts in each resample: the same in all tasks that have the group."""

    def __init__(self, clusters: Iterable[np.ndarray]) -> None:
        names = sorted({str(name) for one in clusters for name in np.unique(one)})
        self._position = {name: at for at, name in enumerate(names)}
        self._drawn = np.random.default_rng(0).poisson(1.0, size=(_RESAMPLES, len(names))).astype(float)

    def of(self, clusters: np.ndarray) -> np.ndarray:
        """Of some samples, shape (resamples, n)."""
        return self._drawn[:, [self._position[str(name)] for name in clusters]]


def _skills(entry: LeaderboardEntry, weights: _Weights | None) -> np.ndarray:
    """The skill of a model as observed, and on each resample, shape (1 + resamples,)."""
    sample, metric = entry.sample, entry.reference.metric
    counts = np.ones((1, len(sample.target)))
    if weights is not None:
        counts = np.concatenate([counts, weights.of(sample.clusters)])
    baseline = replace(sample, prediction=sample.baseline)
    with np.errstate(divide="ignore", invalid="ignore"):
        errors, floors = (metric.on_resamples(one, counts).mean(axis=0) for one in (sample, baseline))
        return 1 - errors / floors


def _estimate(values: np.ndarray) -> Estimate:
    """The mean over tasks, and its interval where tasks are drawn as well; values of shape (tasks, 1 + resamples)."""
    tasks = len(values)
    drawn = np.random.default_rng(1).integers(0, tasks, size=(values.shape[1] - 1, tasks))
    means = np.nanmean(values[drawn, np.arange(1, values.shape[1])[:, None]], axis=1)
    low, high = np.nanquantile(means, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Estimate(float(values[:, 0].mean()), float(low), float(high))
