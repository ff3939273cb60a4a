"""What datasets of crystals have in common: their columns and the tiers of their texts."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ...benchmark.columns import Column

TEXT_TIERS = ("single", "key", "all")
# A sentence ends at a full stop followed by a capital or "(", so decimals stay whole.
_SENTENCE_END = re.compile(r"(?<=\.)\s+(?=[A-Z(])")
# The rule that reproduces the key tier of the paper's Table 2.
_KEY_SENTENCE = re.compile(r"\bbond lengths? (?:is|are)\b")
# What every such dataset says of a crystal, before its slices.
IDENTITY = (
    Column("id", "string", "id", description="id of the crystal at its source"),
    Column("formula", "string", "input", description="chemical formula"),
    Column("chemical_system", "string", "group", description="elements in alphabetical order"),
    Column("spacegroup", "integer", description="number of the space group"),
    Column("n_sites", "integer", description="atoms in the cell of the density"),
    Column("lattice_parameter", "number", unit="A", description="edge of the conventional cube"),
    Column("n_electrons", "number", description="integral of the total density over the cell"),
    Column("split_official", "string", "split", description="split, by a hash of the id"),
    Column(
        "split_grouped",
        "string",
        "split",
        description="split that keeps chemical systems together, by a hash of the system",
    ),
    Column("fold_official", "integer", "fold", description="fold, by a hash of the id"),
    Column("fold_grouped", "integer", "fold", description="fold, by a hash of the system"),
)


def crystal_columns(channels: Sequence[str], properties: Sequence[Column], size: int = 75) -> tuple[Column, ...]:
    """Identity, slices of each channel, texts, then properties.

    Args:
        channels: density channels, the default first.
        properties: columns of role `target` or `property`.
        size: points per side of a slice.
    """
    slices = [column for channel in channels for column in _slice_columns(channel, size)]
    texts = [Column(f"text_{tier}", "string", "input", description=f"text tier {tier}") for tier in TEXT_TIERS]
    return (*IDENTITY, *slices, *texts, *properties)


def _slice_columns(channel: str, size: int) -> list[Column]:
    slice_of = f"slice of the {channel} density"
    return [
        Column(f"image_{channel}", "image", "input", description=f"{slice_of} as a picture"),
        Column(f"density_{channel}", "array", "input", (size, size), "e/A^3", slice_of),
        Column(f"is_noise_{channel}", "boolean", description=f"whether the {slice_of} is nothing but numerical noise"),
    ]


def text_tiers(formula: str, description: str) -> dict[str, str]:
    """The three text tiers of Table 2 of arXiv 2401.09301, from a formula and a full description."""
    sentences = _SENTENCE_END.split(description.strip())
    key = [sentence for sentence in sentences if _KEY_SENTENCE.search(sentence)]
    return {"single": formula, "key": " ".join([f"{formula}.", *key]), "all": description.strip()}
