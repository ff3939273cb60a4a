"""Text tiers of a crystal: its composition, its key facts, its full description.

The description comes from robocrystallographer (Ganose and Jain, MRS Commun. 9, 874 (2019)). Its wording
depends on Python's hash seed, so descriptions are made once, by `python -m ecdbench.tasks.build.text` under
`PYTHONHASHSEED=0`, and stored with the hash of the structure they describe.
"""

from __future__ import annotations

import gzip
import hashlib
import importlib.util
import json
import os
import re
import subprocess
import sys
import zlib
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

from ...benchmark.errors import DataError, MissingExtraError
from ...benchmark.storage import write_json

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
    """The sha256 of what the description depends on: lattice, species and coordinates."""
    sites = [[site["species"], [round(x, 6) for x in site["abc"]]] for site in structure["sites"]]
    lattice = [[round(x, 6) for x in row] for row in structure["lattice"]["matrix"]]
    return hashlib.sha256(json.dumps([lattice, sites], sort_keys=True).encode()).hexdigest()


def read_structures(path: Path) -> dict[str, dict[str, Any]]:
    """Read `{id: pymatgen Structure dict}` from a gzipped JSON file."""
    try:
        with gzip.open(path, "rt") as file:
            return json.load(file)
    except (EOFError, gzip.BadGzipFile, zlib.error, ValueError) as error:
        raise DataError(f"{path} cannot be read ({type(error).__name__}); it is truncated: copy it again.") from error


def describe(structure: dict[str, Any]) -> str:
    """The full description of one structure. Deterministic under `PYTHONHASHSEED=0` only."""
    import warnings

    from pymatgen.core import Structure
    from robocrys import StructureCondenser, StructureDescriber

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return StructureDescriber().describe(StructureCondenser().condense_structure(Structure.from_dict(structure)))


def update_descriptions(structures: Path, store: Path, workers: int = 2) -> dict[str, str]:
    """Describe the structures that `store` lacks, write the store, and return `{id: description}`.

    Runs in a child process when this one's hash seed is not fixed to 0.
    """
    if missing_descriptions(read_structures(structures), read_store(store)):
        if importlib.util.find_spec("robocrys") is None:
            raise MissingExtraError("Describing new structures", "build")
        command = [sys.executable, "-m", "ecdbench.tasks.build.text", str(structures), str(store), str(workers)]
        try:
            subprocess.run(command, check=True, env={**os.environ, "PYTHONHASHSEED": "0"})
        except subprocess.CalledProcessError as error:
            raise DataError(
                "A structure could not be described (see above); mend or remove it and run again."
            ) from error
    return {material: entry["text"] for material, entry in read_store(store).items()}


def read_store(store: Path) -> dict[str, dict[str, str]]:
    """Read `{id: {"structure": hash, "text": description}}`; empty where there is no file yet."""
    try:
        return json.loads(store.read_text()) if store.exists() else {}
    except ValueError as error:
        raise DataError(f"{store} cannot be read; delete it to have all descriptions made again.") from error


def missing_descriptions(structures: dict[str, dict[str, Any]], stored: dict[str, dict[str, str]]) -> list[str]:
    """The ids whose description is absent or describes another structure."""
    return [
        material
        for material, structure in structures.items()
        if stored.get(material, {}).get("structure") != structure_hash(structure)
    ]


def _generate(structures_path: Path, store_path: Path, workers: int) -> None:
    structures, stored = read_structures(structures_path), read_store(store_path)
    todo = missing_descriptions(structures, stored)
    with ProcessPoolExecutor(workers) as pool:
        for material, text in zip(todo, pool.map(describe, [structures[m] for m in todo]), strict=True):
            stored[material] = {"structure": structure_hash(structures[material]), "text": text}
            write_json(store_path, dict(sorted(stored.items())))


if __name__ == "__main__":
    _generate(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
