import pytest
from ecdbench.tasks.datasets.moduli import is_physical

STABLE = {"k_voigt": 100.0, "k_reuss": 100.0, "k_vrh": 100.0, "g_voigt": 50.0, "g_reuss": 40.0, "g_vrh": 45.0}


@pytest.mark.parametrize(
    ("changed", "left"),
    [
        ({}, {"k_vrh", "g_vrh", "homogeneous_poisson", "band_gap"}),
        ({"k_vrh": -1.5}, {"g_vrh", "band_gap"}),
        ({"g_reuss": -3.0}, {"k_vrh", "band_gap"}),
        ({"g_reuss": 60.0}, {"k_vrh", "band_gap"}),
        ({"g_reuss": 50.0 * (1 + 1e-9)}, {"k_vrh", "g_vrh", "homogeneous_poisson", "band_gap"}),
        ({"g_voigt": None, "g_reuss": None}, {"k_vrh", "g_vrh", "homogeneous_poisson", "band_gap"}),
        ({"g_voigt": None, "g_vrh": 0.0}, {"k_vrh", "band_gap"}),
    ],
)
def test_what_rests_on_impossible_moduli_is_not_taken(changed, left):
    names = ("k_vrh", "g_vrh", "homogeneous_poisson", "band_gap")
    assert {name for name in names if is_physical(name, {**STABLE, **changed})} == left
