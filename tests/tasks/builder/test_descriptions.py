import re

import numpy as np
import pytest
from ecdbench.tasks.builder.crystal import CrystalError
from ecdbench.tasks.builder.densities import read_volume
from ecdbench.tasks.builder.descriptions import Describer, structure_hash
from ecdbench.tasks.datasets.crystals import text_tiers
from pymatgen.core import Lattice, Structure

from .conftest import packaged_texts

STORED = packaged_texts()


@pytest.fixture(scope="module")
def describe(tmp_path_factory):
    with Describer(tmp_path_factory.mktemp("texts")) as describer:
        yield describer


def test_the_key_tier_keeps_composition_and_bond_length_sentences():
    text = (
        "MgO is Halite structured (Fm-3m). Mg(1) is bonded to six O(1) atoms. All Mg(1)-O(1) bond lengths are 2.11 Å. "
        "There are a spread of K-O bond distances ranging from 2.5-3.0 Å. The O-O bond length is 1.2 Å."
    )
    tiers = text_tiers("MgO", text)
    assert tiers["single"] == "MgO"
    assert tiers["key"] == "MgO. All Mg(1)-O(1) bond lengths are 2.11 Å. The O-O bond length is 1.2 Å."
    assert tiers["all"] == text


def test_omega_titanium_from_its_structure(describe):
    """mp-72, the example of Table 2 of arXiv 2401.09301: hexagonal, so not in a dataset, but described all the same."""
    omega = Structure.from_spacegroup(
        "P6/mmm", Lattice.hexagonal(4.5655, 2.829), ["Ti", "Ti"], [[0, 0, 0], [1 / 3, 2 / 3, 0.5]]
    )
    tiers = text_tiers("Ti", describe(omega.as_dict()))
    assert tiers["single"] == "Ti"
    assert tiers["key"] == "Ti. Both Ti(1)-Ti(1) bond lengths are 2.83 Å. All Ti(1)-Ti(2) bond lengths are 2.99 Å."
    assert tiers["all"] == (
        "Ti crystallizes in the hexagonal P6/mmm space group. There are two inequivalent Ti sites. In the first Ti "
        "site, Ti(1) is bonded in a 14-coordinate geometry to two equivalent Ti(1) and twelve equivalent Ti(2) atoms. "
        "Both Ti(1)-Ti(1) bond lengths are 2.83 Å. All Ti(1)-Ti(2) bond lengths are 2.99 Å. In the second Ti site, "
        "Ti(2) is bonded in a 11-coordinate geometry to five equivalent Ti(2) and six equivalent Ti(1) atoms. There "
        "are three shorter (2.64 Å) and two longer (2.83 Å) Ti(2)-Ti(2) bond lengths."
    )


def test_stored_descriptions_are_reproduced_word_for_word(raw_dir, describe, monkeypatch):
    """Whatever the hash seed of this process is."""
    monkeypatch.setenv("PYTHONHASHSEED", "123")
    for sample_id in ("mp-10182", "mp-1022"):
        structure = read_volume(raw_dir / "densities" / f"{sample_id}.npz").structure.as_dict()
        assert STORED[sample_id] == (describe(structure), structure_hash(structure))


def test_a_description_is_cached(tmp_path, monkeypatch):
    copper = Structure.from_spacegroup("Fm-3m", Lattice.cubic(3.58), ["Cu"], [[0, 0, 0]]).as_dict()
    with Describer(tmp_path) as describer:
        text = describer(copper)
    monkeypatch.setattr("ecdbench.tasks.builder.descriptions._start_child", lambda: pytest.fail("described again"))
    with Describer(tmp_path) as describer:
        assert describer(copper) == text


def test_a_failed_description_is_reported_and_the_next_succeeds(tmp_path):
    copper = Structure.from_spacegroup("Fm-3m", Lattice.cubic(3.58), ["Cu"], [[0, 0, 0]])
    odd = copper.as_dict()
    odd["lattice"]["matrix"] = np.zeros((3, 3)).tolist()
    with Describer(tmp_path) as describer:
        with pytest.raises(CrystalError, match="robocrystallographer cannot describe the structure") as failure:
            describer(odd)
        assert failure.value.kind == "no text"
        assert "Copper structured" in describer(copper.as_dict())


def test_a_description_that_exceeds_its_time_limit_is_stopped(tmp_path):
    copper = Structure.from_spacegroup("Fm-3m", Lattice.cubic(3.58), ["Cu"], [[0, 0, 0]]).as_dict()
    with (
        Describer(tmp_path, time_limit=0.01) as describer,
        pytest.raises(CrystalError, match=r"no answer within 0\.01 s"),
    ):
        describer(copper)


def test_a_changed_structure_has_another_hash(raw_dir):
    structure = read_volume(raw_dir / "densities" / "mp-1022.npz").structure.as_dict()
    assert structure_hash(structure) == STORED["mp-1022"][1]
    structure["lattice"]["matrix"][0][0] += 0.01
    assert structure_hash(structure) != STORED["mp-1022"][1]


def test_decimals_do_not_end_sentences():
    for text, _ in STORED.values():
        for sentence in text_tiers("X", text)["key"].split(". ")[1:]:
            assert re.search(r"bond lengths? (is|are) \d+\.\d+|Å", sentence)
