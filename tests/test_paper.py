"""The tables of arXiv 2401.09301 against the code, and what is reported of them. Tables 2 and 3: test_descriptions.py,
test_layers.py."""

from collections import Counter

import pytest
import torch
from ecdbench.baselines.scratch_cnn import table1_network
from ecdbench.leaderboard.reported import reported, reported_tasks
from ecdbench.tasks.datasets import mp_fcc, mp_fcc_authors

TABLE_1 = [  # layer, output (height, width, channels) or length, parameters
    ("Conv2d", (72, 195, 32), 416),
    ("Conv2d", (71, 194, 64), 8256),
    ("AvgPool2d", (35, 97, 64), 0),
    ("Conv2d", (34, 96, 96), 24672),
    ("Conv2d", (33, 95, 192), 73920),
    ("AvgPool2d", (16, 47, 192), 0),
    ("Conv2d", (15, 46, 192), 147648),
    ("Dropout", (15, 46, 192), 0),
    ("Conv2d", (14, 45, 256), 196864),
    ("AvgPool2d", (7, 22, 256), 0),
    ("Conv2d", (6, 21, 256), 262400),
    ("Flatten", (32256,), 0),
    ("Linear", (32,), 1032224),
    ("Linear", (1,), 33),
]
TABLE_11 = [
    "nsites",
    "nelements",
    "volume",
    "density",
    "density_atomic",
    "uncorrected_energy_per_atom",
    "energy_per_atom",
    "formation_energy_per_atom",
    "energy_above_hull",
    "equilibrium_reaction_energy_per_atom",
    "band_gap",
    "efermi",
    "total_magnetization",
    "total_magnetization_normalized_vol",
    "total_magnetization_normalized_formula_units",
    "num_magnetic_sites",
    "num_unique_magnetic_sites",
    "k_voigt",
    "k_reuss",
    "k_vrh",
    "g_voigt",
    "g_reuss",
    "g_vrh",
    "universal_anisotropy",
    "homogeneous_poisson",
]


def test_table_1_layer_by_layer():
    found = []

    def note(module, _, output):
        shape = tuple(output.shape[1:])
        shape = (*shape[1:], shape[0]) if len(shape) == 3 else shape
        found.append((type(module).__name__, shape, sum(p.numel() for p in module.parameters())))

    network = table1_network(73, 196)
    for module in network.modules():
        if not list(module.children()):
            module.register_forward_hook(note)
    network.eval()(torch.zeros(1, 3, 73, 196))
    named = {name for name, *_ in TABLE_1}
    assert [layer for layer in found if layer[0] in named] == TABLE_1


def test_table_11_names_the_columns():
    assert [column.name for column in mp_fcc.PROPERTIES] == TABLE_11
    targets = {target.name for target in mp_fcc_authors.TARGETS} - {"is_metal"}
    assert set(TABLE_11) - targets == {"energy_above_hull", "k_voigt", "k_reuss"}  # degenerate


def test_every_table_is_reported():
    entries = [one for task in reported_tasks() for one in reported(task)]
    tables = Counter(one.source.removeprefix("arXiv:2401.09301v1, Table ").split(",")[0] for one in entries)
    expected = {"4": 5, "5": 2, "6": 12, "7": 1, "8": 9, "9": 4, "10": 2, "12": 12, "13": 4}
    assert {table: tables[table] for table in expected} == expected
    printed = [one for one in entries if one.train]
    assert len(printed) == sum(expected.values()) - 1
    assert all(len(one.train) == len(one.validation) == 2 and one.r2 and one.rmse and one.note for one in printed)


@pytest.mark.parametrize(
    ("task", "model", "r2", "rmse"),
    [
        ("sfe", "frozen DenseNet121 (batch 8, learning rate 0.05)", None, None),
        ("sfe", "frozen DenseNet121 (batch 4, learning rate 0.05)", "0.74", "8.85"),
        ("sfe", "scratch CNN, trial 7", "0.04", "12.84"),
        ("mp-fcc/k_vrh", "InceptionV3 + RoBERTa, key words", "0.91", "0.04"),
        ("mp-fcc/band_gap", "InceptionV3 + ALBERT, single word", "0.27", "0.11"),
        ("mp-fcc/k_vrh", "GPT-4 in context", "-41.66", "0.16"),
    ],
)
def test_digits_are_as_printed(task, model, r2, rmse):
    found = [(one.r2, one.rmse) for one in reported(task) if one.model == model]
    assert found == ([(r2, rmse)] if r2 else [])
