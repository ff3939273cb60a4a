"""Inputs: from the columns of a dataset to what a predictor is handed."""

import numpy as np
from ecdbench.benchmark.inputs import InputOptions, depends_on, looks_at, offered_inputs
from ecdbench.tasks.catalogue import load_task
from ecdbench.tasks.datasets.ecd_fcc import FACTS
from ecdbench.tasks.density.planes import slice_plane
from ecdbench.tasks.density.structure_factors import StructureFactors
from ecdbench.tasks.density.volumes import density_volume
from ecdbench.tasks.standard_inputs import ArrayInput

COLUMNS = ["id", "formula", "image_total", "image_spin", "density_total", "density_spin", "text_key"]


def test_an_option_chooses_among_columns():
    offered = offered_inputs(COLUMNS, InputOptions("key", "spin"))
    assert {name: one.sources(COLUMNS, InputOptions("key", "spin")) for name, one in offered.items()} == {
        "image": ("image_spin",),
        "density": ("density_spin",),
        "formula": ("formula",),
        "text": ("text_key",),
    }
    assert list(offered_inputs(COLUMNS, InputOptions())) == ["image", "density", "formula"]


def test_views_are_made_of_structure_factors_where_they_are_not_stored():
    names = [column.name for column in FACTS.columns]
    geometry = ("structure", "symmetry", "reflections")
    of_spin = (*geometry, "structure_factors_spin", "cube")
    offered = offered_inputs(names, InputOptions("key", "spin"))
    found = {name: one.sources(names, InputOptions("key", "spin")) for name, one in offered.items()}
    assert found["image"] == found["density"] == found["volume"] == found["structure_factors"] == of_spin
    atoms = offered["volume"].sources(names, InputOptions("none", "promolecule"))
    assert atoms == (*geometry, "structure_factors_total", "structure_factors_deformation", "cube")
    published = [*names, "image_spin"]  # for other tools
    assert offered["image"].sources(published, InputOptions("key", "spin")) == of_spin
    without_cube = [name for name in names if name != "cube"]  # crystals of any lattice have no plane
    assert {"image", "density"}.isdisjoint(offered_inputs(without_cube, InputOptions()))
    assert {"volume", "structure_factors", "structure"} <= set(offered_inputs(without_cube, InputOptions()))


def test_large_inputs_are_for_models_that_state_them():
    data = load_task("ecd-fcc/k_vrh", channel="promolecule")
    assert set(data.inputs) == {"image", "density", "formula"}
    row = data.only(("volume", "structure", "structure_factors")).table(data.ids[:2])[1]
    assert row["volume"].shape == (32, 32, 32) and row["volume"].dtype == np.float32
    assert len(row["structure"]["numbers"]) == len(row["structure"]["frac_coords"])
    factors = StructureFactors.from_cells(row["structure_factors"])
    assert np.abs(density_volume(factors, "promolecule") - row["volume"]).max() < 1e-5
    plane = data.rows[row["id"]]["density"]
    assert np.abs(slice_plane(factors, "promolecule") - plane).max() < 1e-5
    assert list(offered_inputs(["id", "formula"], InputOptions())) == ["formula"]


def test_a_dataset_offers_what_it_has_columns_for():
    assert FACTS.channels == ("total", "spin", "deformation", "promolecule")
    assert FACTS.text_tiers == ("single", "key", "all")


def test_which_models_an_option_concerns():
    assert depends_on("channel", ["image", "formula"]) and not depends_on("channel", ["formula", "text"])
    assert depends_on("text", ["text"]) and not depends_on("text", ["image"])
    assert depends_on("text", None)
    assert not depends_on("text", ["no longer registered"])


def test_how_tables_name_them():
    assert looks_at(None) == "all inputs"
    assert looks_at([]) == "nothing"
    assert looks_at(["image", "of another package"]) == "image + of another package"


def test_arrays_of_any_shape():
    volumes = [np.full((2, 3, 4), value, dtype=np.float32) for value in (1, 3)]
    one = ArrayInput()
    assert one.feature(volumes[0]).shape == (2, 3, 4)
    assert one.blank(volumes).tolist() == np.full((2, 3, 4), 2.0).tolist()
    assert one.vectors(volumes).shape == (2, 24)
