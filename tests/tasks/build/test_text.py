import gzip
import json
import os
import re

from ecdbench.tasks import ecd_fcc
from ecdbench.tasks.build.text import missing_descriptions, read_store, read_structures, text_tiers, update_descriptions


def test_the_key_tier_keeps_composition_and_bond_length_sentences():
    text = (
        "MgO is Halite structured (Fm-3m). Mg(1) is bonded to six O(1) atoms. All Mg(1)-O(1) bond lengths are 2.11 Å. "
        "There are a spread of K-O bond distances ranging from 2.5-3.0 Å. The O-O bond length is 1.2 Å."
    )
    tiers = text_tiers("MgO", text)
    assert tiers["single"] == "MgO"
    assert tiers["key"] == "MgO. All Mg(1)-O(1) bond lengths are 2.11 Å. The O-O bond length is 1.2 Å."
    assert tiers["all"] == text


def test_stored_descriptions_belong_to_the_structures(raw_dir):
    stored = read_store(ecd_fcc.PACKAGED / "descriptions.json")
    assert missing_descriptions(read_structures(raw_dir / "structures.json.gz"), stored) == []


def test_descriptions_are_made_again_word_for_word(raw_dir, tmp_path, monkeypatch):
    """Two crystals, in a process with another hash seed: generation happens under PYTHONHASHSEED=0 all the same."""
    monkeypatch.setenv("PYTHONHASHSEED", "123")
    structures = read_structures(raw_dir / "structures.json.gz")
    chosen = {material: structures[material] for material in ("mp-10182", "mp-1022")}
    with gzip.open(tmp_path / "structures.json.gz", "wt") as file:
        json.dump(chosen, file)
    made = update_descriptions(tmp_path / "structures.json.gz", tmp_path / "store.json")
    stored = read_store(ecd_fcc.PACKAGED / "descriptions.json")
    assert made == {material: stored[material]["text"] for material in chosen}
    assert os.environ["PYTHONHASHSEED"] == "123"


def test_a_changed_structure_is_described_anew(raw_dir):
    structures = read_structures(raw_dir / "structures.json.gz")
    stored = read_store(ecd_fcc.PACKAGED / "descriptions.json")
    structures["mp-1022"]["lattice"]["matrix"][0][0] += 0.01
    assert missing_descriptions(structures, stored) == ["mp-1022"]


def test_decimals_do_not_end_sentences():
    stored = read_store(ecd_fcc.PACKAGED / "descriptions.json")
    for entry in stored.values():
        for sentence in text_tiers("X", entry["text"])["key"].split(". ")[1:]:
            assert re.search(r"bond lengths? (is|are) \d+\.\d+|Å", sentence)
