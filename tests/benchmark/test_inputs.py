"""Inputs: from the columns of a dataset to what a predictor is handed."""

import numpy as np
from ecdbench.benchmark.inputs import InputOptions, depends_on, looks_at, offered_inputs
from ecdbench.tasks.datasets.ecd_fcc import FACTS
from ecdbench.tasks.standard_inputs import ArrayInput

COLUMNS = [column.name for column in FACTS.columns]


def test_an_option_chooses_among_columns():
    offered = offered_inputs(COLUMNS, InputOptions("key", "spin"))
    assert {name: one.sources(COLUMNS, InputOptions("key", "spin")) for name, one in offered.items()} == {
        "image": ("image_spin",),
        "density": ("density_spin",),
        "formula": ("formula",),
        "text": ("text_key",),
    }
    assert list(offered_inputs(COLUMNS, InputOptions())) == ["image", "density", "formula"]
    assert list(offered_inputs(["id", "formula"], InputOptions())) == ["formula"]


def test_a_dataset_offers_what_it_has_columns_for():
    assert FACTS.channels == ("total", "spin", "deformation")
    assert FACTS.text_tiers == ("single", "key", "all")


def test_which_models_an_option_concerns():
    assert depends_on("channel", ["image", "formula"]) and not depends_on("channel", ["formula", "text"])
    assert depends_on("text", ["text"]) and not depends_on("text", ["image"])
    assert depends_on("text", None)
    assert not depends_on("text", ["no longer registered"])


def test_how_tables_name_them():
    assert looks_at(None) == "not stated"
    assert looks_at([]) == "nothing"
    assert looks_at(["image", "of another package"]) == "image + of another package"


def test_arrays_of_any_shape():
    volumes = [np.full((2, 3, 4), value, dtype=np.float32) for value in (1, 3)]
    one = ArrayInput()
    assert one.feature(volumes[0]).shape == (2, 3, 4)
    assert one.blank(volumes).tolist() == np.full((2, 3, 4), 2.0).tolist()
    assert one.vectors(volumes).shape == (2, 24)
