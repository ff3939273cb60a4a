"""Probes: what happens to a score when a part of the input is taken from another row."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from .calls import call, mapping
from .difference import Difference
from .scoring import COVERAGE_THRESHOLD
from .task import TaskData

# What is exchanged together, by name of the probe.
EXCHANGES = {"image of another row": ("image", "density"), "text of another row": ("text", "formula")}


def others(ids: Sequence[str]) -> dict[str, str]:
    """Another row for each row: a fixed permutation that moves every one. A single row stays.

    It depends on the ids alone, not on their order.
    """
    ranked = sorted(ids, key=lambda material: hashlib.sha256(material.encode()).hexdigest())
    return dict(zip(ranked, [*ranked[1:], *ranked[:1]], strict=True))


def probe_predictions(name: str, predictor: Any, data: TaskData, ids: Sequence[str]) -> dict[str, np.ndarray]:
    """Predictions of altered inputs, by name of the probe: the predictor's own, or with inputs exchanged.

    Args:
        name: what the model is called.
        predictor: a fitted predictor.
        data: the task.
        ids: the rows to predict.
    """
    if callable(getattr(predictor, "predict_probes", None)):
        return mapping(name, predictor, "predict_probes", data.inputs(ids))
    seen, partners = getattr(predictor, "inputs", None), others(ids)
    first = data.rows[ids[0]]
    found = {}
    for probe, columns in EXCHANGES.items():
        there = [column for column in columns if column in first]
        if there and (seen is None or set(seen) & set(there)):
            rows = replace(data, rows=_Exchanged(data.rows, partners, there)).inputs(ids)
            found[probe] = call(name, "predict", partial(predictor.predict, rows))
    return found


def reading(probe: str, difference: Difference, coverage: float) -> str:
    """What a probe says, in a sentence.

    Args:
        probe: its name.
        difference: RMSE of the probe minus RMSE of the model.
        coverage: share of usable predictions, the smaller one of probe and model.
    """
    if coverage < COVERAGE_THRESHOLD:
        return f"{probe}: nothing can be said, only {coverage:.0%} of the predictions are there."
    if difference.value is None or difference.low is None or difference.high is None:
        return f"{probe}: nothing can be said, the difference is undefined."
    moved = f"{probe}: RMSE moves by {difference.value:+.3g} [{difference.low:+.3g}, {difference.high:+.3g}]"
    part = next((word for word in ("image", "text", "examples") if word in probe), "what was altered")
    if difference.low > 0:
        return f"{moved}; {part} used."
    if difference.high < 0:
        return f"{moved}, for the better; {part} misleading."
    return f"{moved}; the score does not move, so no use of {part} shows."


class _Exchanged(Mapping[str, Mapping[str, Any]]):
    """Rows with some columns taken from another row; read when they are asked for."""

    def __init__(
        self, rows: Mapping[str, Mapping[str, Any]], partners: Mapping[str, str], columns: Sequence[str]
    ) -> None:
        self._rows, self._partners, self._columns = rows, partners, columns

    def __getitem__(self, material: str) -> Mapping[str, Any]:
        other = self._rows[self._partners.get(material, material)]
        return {**self._rows[material], **{column: other[column] for column in self._columns}}

    def __iter__(self) -> Iterator[str]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)
