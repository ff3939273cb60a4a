"""Probes: what happens to a score when a part of the input is taken from another row, or taken away."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from .differences import Difference
from .metrics import Metric
from .scoring import COVERAGE_THRESHOLD
from .task import Rows, TaskData

if TYPE_CHECKING:
    from datasets import Dataset

VERSION = 3  # of what is altered and how; finished fits of another version are not used
_AVERAGED = 256  # training rows that a blank value is the mean of
Alter = Callable[[str, Mapping[str, Any]], Mapping[str, Any]]


def others(ids: Sequence[str]) -> dict[str, str]:
    """Another row for each row: a fixed permutation that moves every one. A single row stays.

    It depends on the ids alone, not on their order.
    """
    ranked = sorted(ids, key=lambda sample_id: hashlib.sha256(sample_id.encode()).hexdigest())
    return dict(zip(ranked, [*ranked[1:], *ranked[:1]], strict=True))


def altered_tables(
    data: TaskData, ids: Sequence[str], learnt: Sequence[str], names: Mapping[str, str] | None
) -> dict[str, Dataset]:
    """Rows with inputs that are exchanged or blank, by name of the probe.

    Args:
        data: the task, with the inputs that the model is handed.
        ids: the rows to predict.
        learnt: the rows that are learnt from; a blank image has their mean colour, a blank density their mean.
        names: what stands in the column `id`.
    """
    rows = data.rows
    altered: dict[str, Alter] = {}
    for word in dict.fromkeys(one.probe for one in data.inputs.values() if one.probe):
        of_word = [name for name, one in data.inputs.items() if one.probe == word]
        altered[f"{word} of another row"] = _exchanging(rows, others(ids), of_word)
    for probe in dict.fromkeys(one.blank_probe for one in data.inputs.values() if one.blank_probe):
        blank = {
            name: one.blank([rows[sample_id][name] for sample_id in sorted(learnt)[:_AVERAGED]])
            for name, one in data.inputs.items()
            if one.blank_probe == probe
        }
        altered[probe] = _blanking(blank)
    return {
        probe: replace(data, altered=_Altered(rows, alter)).table(ids, names=names) for probe, alter in altered.items()
    }


def reading(probe: str, difference: Difference, coverage: float, metric: Metric) -> str:
    """What a probe says, in a sentence.

    Args:
        probe: its name.
        difference: the metric of the probe minus that of the model.
        coverage: share of usable predictions, the smaller one of probe and model.
        metric: the metric that ranks.
    """
    if coverage < COVERAGE_THRESHOLD:
        return f"{probe}: nothing can be said, only {coverage:.0%} of the predictions are there."
    if difference.value is None or difference.low is None or difference.high is None:
        return f"{probe}: nothing can be said, the difference is undefined."
    moved = f"{probe}: {metric.label} moves by {difference.value:+.3g} [{difference.low:+.3g}, {difference.high:+.3g}]"
    part = _what(probe)
    worse = difference.low > 0 if metric.direction == "lower" else difference.high < 0
    better = difference.high < 0 if metric.direction == "lower" else difference.low > 0
    if worse:
        return f"{moved}; {part} used."
    if better:
        return f"{moved}, for the better; {part} misleading."
    return f"{moved}; the score does not move, so no use of {part} shows."


def _what(probe: str) -> str:
    """The word for what a probe alters, as in "image of another row", "blank image", "no text"."""
    first, _, rest = probe.partition(" ")
    return first if rest == "of another row" else rest.split(",")[0] if first in ("blank", "no") else "what was altered"


def _exchanging(rows: Rows, partners: Mapping[str, str], names: Sequence[str]) -> Alter:
    def alter(sample_id: str, row: Mapping[str, Any]) -> Mapping[str, Any]:
        other = rows[partners.get(sample_id, sample_id)]
        return {**row, **{name: other[name] for name in names}}

    return alter


def _blanking(blank: Mapping[str, Any]) -> Alter:
    return lambda _, row: {**row, **blank}


class _Altered(Mapping[str, Mapping[str, Any]]):
    """Rows with something changed; read when they are asked for."""

    def __init__(self, rows: Rows, alter: Alter) -> None:
        self._rows, self._alter = rows, alter

    def __getitem__(self, sample_id: str) -> Mapping[str, Any]:
        return self._alter(sample_id, self._rows[sample_id])

    def __iter__(self) -> Iterator[str]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)
