"""Whether a card and a run speak of the same model."""

from __future__ import annotations

from pathlib import Path

from ..benchmark.errors import DataError
from ..benchmark.results import Result
from .card import Card
from .rescore import RescoredRun


def check_inputs(card: Card, run: RescoredRun) -> None:
    """Compare what a card says that the model looks at with what the task has.

    Raises:
        DataError: the task has no such column.
    """
    data = run.reference.data
    there = {*data.rows[data.ids[0]], *(["text"] if data.task.text_tiers else [])}
    for name in card.inputs:
        if name not in there:
            raise DataError(f"{run.run.folder}: the card says that the model looks at {name}; {data.task.id} has none.")


def seen_text(result: Result) -> str:
    """The text tier that the model looked at: `none` where it says that it looks at no text."""
    inputs = result.model.inputs
    return result.text if inputs is None or "text" in inputs else "none"


def check_card(card: Card, result: Result, folder: Path) -> None:
    """Compare what a card states with what a run recorded.

    Raises:
        DataError: inputs, text tier or number of seeds differ, or random weights are called pretrained.
    """
    inputs = result.model.inputs
    pairs: list[tuple[str, object, object]] = []
    if inputs is not None:
        pairs.append(("inputs", sorted(card.inputs), sorted(inputs)))
    pairs.append(("text_tier", card.text_tier, seen_text(result)))
    if result.protocol == "fixed":
        pairs.append(("seeds", card.seeds, len(result.seeds)))
    for name, stated, recorded in pairs:
        if stated != recorded:
            raise DataError(f"{folder}: the card says {name} {stated!r}, the run {recorded!r}; correct the card.")
    if result.model.info.get("weights") == "random" and card.is_pretrained:
        raise DataError(f"{folder}: the run has random weights and the card says that it is pretrained; correct it.")
