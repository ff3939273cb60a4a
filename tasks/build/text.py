"""Text tiers of a crystal: its composition, its key facts, its full description."""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any

# A sentence ends at a full stop followed by a capital or "(": decimals stay whole.
_SENTENCE_END = re.compile(r"(?<=\.)\s+(?=[A-Z(])")
# The rule that reproduces the key tier of the paper's Table 2.
_KEY_SENTENCE = re.compile(r"\bbond lengths? (?:is|are)\b")


def text_tiers(formula: str, description: str) -> dict[str, str]:
    """The three text tiers of arXiv 2401.09301, Table 2, from a formula and a full description."""
    sentences = _SENTENCE_END.split(description.strip())
    key = [sentence for sentence in sentences if _KEY_SENTENCE.search(sentence)]
    return {"single": formula, "key": " ".join([f"{formula}.", *key]), "all": description.strip()}


def structure_hash(structure: dict[str, Any]) -> str:
    """The sha256 of what the description depends on: lattice, species and coordinates of a pymatgen dict."""
    sites = [[site["species"], [round(x, 6) for x in site["abc"]]] for site in structure["sites"]]
    lattice = [[round(x, 6) for x in row] for row in structure["lattice"]["matrix"]]
    return hashlib.sha256(json.dumps([lattice, sites], sort_keys=True).encode()).hexdigest()
