"""Does what a predictor reads give its target away?"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ...benchmark.task import Target

_NUMBER = re.compile(r"(?<![\w.])\d+\.\d+(?![\w.]*\w)")
# Distances in a text have three digits; a number of more digits that is a target's is no coincidence.
_TELLING = 4


def find_leaks(row: Mapping[str, Any], targets: Sequence[Target]) -> Iterator[str]:
    """Say where the texts, the formula or the pictures of a row name a target or its value.

    Args:
        row: a row of the dataset.
        targets: the dataset's targets.
    """
    for name, value in row.items():
        if isinstance(value, bytes):
            text = _text_in_picture(value)
        elif name.startswith("text_") or name == "formula":
            text = value or ""
        else:
            continue
        for target in targets:
            if word := _word(text, target):
                yield f"{row['id']}: {name} speaks of {target.name} ('{word}')"
            elif number := _number(text, row.get(target.name)):
                yield f"{row['id']}: {name} holds the value of {target.name} ({number})"


def _word(text: str, target: Target) -> str | None:
    words = {target.name, target.name.replace("_", " "), target.unit}
    pattern = "|".join(rf"(?<![\w/]){re.escape(word)}(?![\w/])" for word in words if len(word) > 1)
    found = re.search(pattern, text, re.IGNORECASE if target.unit.islower() else 0) if pattern else None
    return found[0] if found else None


def _number(text: str, value: float | None) -> str | None:
    if value is None:
        return None
    for number in _NUMBER.findall(text):
        digits, decimals = len(number.replace(".", "").lstrip("0")), len(number.partition(".")[2])
        if digits >= _TELLING and abs(float(number) - abs(value)) <= 0.5 * 10.0**-decimals:
            return number
    return None


def _text_in_picture(image: bytes) -> str:
    """What the file of a picture says in words."""
    from PIL import Image

    with Image.open(io.BytesIO(image)) as picture:
        return " ".join(f"{key} {value}" for key, value in picture.info.items() if isinstance(value, str))
