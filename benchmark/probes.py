"""Probes: what happens to a score when a part of the input is taken from another row, or taken away."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from .calls import call, mapping
from .difference import Difference
from .scoring import COVERAGE_THRESHOLD
from .task import TaskData

# What is exchanged together, by name of the probe.
EXCHANGES: dict[str, tuple[str, ...]] = {
    "image of another row": ("image", "density"),
    "text of another row": ("text", "formula"),
}
# What is replaced by something that tells nothing of the row.
BLANKS: dict[str, tuple[str, ...]] = {"blank image": ("image", "density"), "no text": ("text",)}
VERSION = 2  # of what is altered and how; finished parts of another version are not used
_AVERAGED = 256  # rows learnt from that the blank image is the mean colour of
Rows = Mapping[str, Mapping[str, Any]]
Alter = Callable[[str, Mapping[str, Any]], Mapping[str, Any]]


def others(ids: Sequence[str]) -> dict[str, str]:
    """Another row for each row: a fixed permutation that moves every one. A single row stays.

    It depends on the ids alone, not on their order.
    """
    ranked = sorted(ids, key=lambda material: hashlib.sha256(material.encode()).hexdigest())
    return dict(zip(ranked, [*ranked[1:], *ranked[:1]], strict=True))


def probe_predictions(
    name: str, predictor: Any, data: TaskData, ids: Sequence[str], learnt: Sequence[str]
) -> dict[str, np.ndarray]:
    """Predictions of altered inputs, by name of the probe: the predictor's own, or with inputs exchanged or blank.

    Args:
        name: what the model is called.
        predictor: a fitted predictor.
        data: the task.
        ids: the rows to predict.
        learnt: the rows it was fitted on; a blank image has their mean colour and density.
    """
    if callable(getattr(predictor, "predict_probes", None)):
        return mapping(name, predictor, "predict_probes", data.inputs(ids))
    seen, first = getattr(predictor, "inputs", None), data.rows[ids[0]]

    def there(columns: Sequence[str]) -> list[str]:
        present = [column for column in columns if column in first]
        return present if seen is None or set(seen) & set(present) else []

    altered: dict[str, Alter] = {}
    for probe, columns in EXCHANGES.items():
        if used := there(columns):
            altered[probe] = _exchanging(data.rows, others(ids), used)
    for probe, columns in BLANKS.items():
        if used := there(columns):
            altered[probe] = _blanking(_blank_of(data.rows, sorted(learnt)[:_AVERAGED], used))
    return {
        probe: call(
            name, "predict", partial(predictor.predict, replace(data, rows=_Altered(data.rows, alter)).inputs(ids))
        )
        for probe, alter in altered.items()
    }


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


def _exchanging(rows: Rows, partners: Mapping[str, str], columns: Sequence[str]) -> Alter:
    def alter(material: str, row: Mapping[str, Any]) -> Mapping[str, Any]:
        other = rows[partners.get(material, material)]
        return {**row, **{column: other[column] for column in columns}}

    return alter


def _blanking(blank: Mapping[str, Any]) -> Alter:
    return lambda _, row: {**row, **blank}


def _blank_of(rows: Rows, ids: Sequence[str], columns: Sequence[str]) -> dict[str, Any]:
    """An empty text; an image and a density of one value, the mean over some rows."""
    blank: dict[str, Any] = {}
    if "text" in columns:
        blank["text"] = ""
    if "density" in columns:
        mean = float(np.mean([rows[material]["density"].mean() for material in ids]))
        blank["density"] = np.full_like(rows[ids[0]]["density"], mean)
    if "image" in columns:
        from PIL import Image

        pictures = [Image.open(io.BytesIO(rows[material]["image"])).convert("RGB") for material in ids]
        colour = np.mean([np.asarray(picture).mean(axis=(0, 1)) for picture in pictures], axis=0)
        file = io.BytesIO()
        Image.new("RGB", pictures[0].size, tuple(colour.round().astype(int).tolist())).save(file, "PNG")
        blank["image"] = file.getvalue()
    return blank


class _Altered(Mapping[str, Mapping[str, Any]]):
    """Rows with something changed; read when they are asked for."""

    def __init__(self, rows: Rows, alter: Alter) -> None:
        self._rows, self._alter = rows, alter

    def __getitem__(self, material: str) -> Mapping[str, Any]:
        return self._alter(material, self._rows[material])

    def __iter__(self) -> Iterator[str]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)
