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
# What every such dataset says of a crystal, before its density.
IDENTITY = (
    Column("id", "string", "id", description="id of the crystal at its source"),
    Column("formula", "string", "input", description="chemical formula"),
    Column("chemical_system", "string", "group", description="elements in alphabetical order"),
    Column("spacegroup", "integer", description="number of the space group"),
    Column("n_sites", "integer", description="atoms in the cell of the density"),
    Column("cell_volume", "number", unit="A^3", description="volume of the cell of the density"),
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


def crystal_columns(channels: Sequence[str], properties: Sequence[Column], is_cubic: bool = True) -> tuple[Column, ...]:
    """Identity, structure and structure factors of each channel, texts, then properties.

    Args:
        channels: density channels, the default first.
        properties: columns of role `target` or `property`.
        is_cubic: whether every crystal is cubic F-centred, so that planes can be cut.
    """
    cube = Column("cube", "array", "input", (3, 3), description="conventional cube, in units of the cell vectors")
    structure = (
        Column("structure", "string", "input", description="lattice (A), atomic numbers, fractional coordinates; JSON"),
        Column("symmetry", "string", "input", description="operations x' = R x + t that the density obeys; JSON"),
        *((cube,) if is_cubic else ()),
        Column("reflections", "array", "input", (None, 3), description="h k l of each class of equivalent reflections"),
        Column("resolution", "number", unit="1/A", description="up to which |G| every reflection is there"),
        Column("is_accurate", "boolean", description="whether every channel is as accurate as the card says"),
    )
    densities = [column for channel in channels for column in _density_columns(channel)]
    texts = [Column(f"text_{tier}", "string", "input", description=f"text tier {tier}") for tier in TEXT_TIERS]
    return (*IDENTITY, *structure, *densities, *texts, *properties)


def _density_columns(channel: str) -> list[Column]:
    of = f"of the {channel} density"
    return [
        Column(f"structure_factors_{channel}", "array", "input", (None, 2), "e/A^3", f"Fourier coefficients {of}"),
        Column(f"is_noise_{channel}", "boolean", description=f"whether the view {of} is nothing but numerical noise"),
        Column(f"error_{channel}", "number", description=f"RMS error {of} away from nuclei, over its range"),
    ]


def text_tiers(formula: str, description: str) -> dict[str, str]:
    """The three text tiers of Table 2 of arXiv 2401.09301, from a formula and a full description."""
    sentences = _SENTENCE_END.split(description.strip())
    key = [sentence for sentence in sentences if _KEY_SENTENCE.search(sentence)]
    return {"single": formula, "key": " ".join([f"{formula}.", *key]), "all": description.strip()}
