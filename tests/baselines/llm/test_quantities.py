"""Numbers in free text: those a reader would take for the answer, and those nobody would."""

import math

import pytest
from ecdbench.baselines.llm.quantities import find_number, find_probability
from hypothesis import given
from hypothesis import strategies as st

READ = [
    ("-1.5e-2", "eV", -0.015),
    ("-2 x 10^-1 eV", "eV", -0.2),
    ("\u22122 \u00d7 10\u207b\u00b9 eV", "eV", -0.2),
    ("Compared with Si (1.1), Ga2Se3 gives 2.0 eV", "eV", 2.0),
    ("The modulus is 170 GPa.", "GPa", 170),
    ("**170** GPa", "GPa", 170),
    ("$\\boxed{170}$", "GPa", 170),
    ("170 \\text{ GPa}", "GPa", 170),
    ("170 gpa", "GPa", 170),
    ("170 \u00b1 10 GPa", "GPa", 170),
    ("123456", "GPa", 123456),
    ("1,234.5", "GPa", 1234.5),
    ("1,5", "eV", 1.5),
    (".5", "eV", 0.5),
    ("170, or rather 180", "GPa", 180),
    ("Step 1: guess.\nStep 2: 55", "GPa", 55),
    ("-0.35 eV/atom", "eV/atom", -0.35),
    ("2.0 \u03bcB", "muB", 2.0),
    ("150GPa", "GPa", 150),
    ("K=150GPa", "GPa", 150),
    ("(150)", "GPa", 150),
    ("__150__ GPa", "GPa", 150),
    ("* 150 GPa", "GPa", 150),
    ("Bulk modulus: - 150 GPa", "GPa", -150),
    ("approx.-1.5 eV/atom", "eV/atom", -1.5),
    ("\\text{-}1.5", "eV", -1.5),
    ("minus 1.5", "eV", -1.5),
    ("1\u202f234 GPa", "GPa", 1234),
    ("1'234 GPa", "GPa", 1234),
    ("1 234 GPa", "GPa", 1234),
    ("1.234,5 GPa", "GPa", 1234.5),
]
CONVERTED = [
    ("1.7 Mbar", "GPa", 170),
    ("170000 MPa", "GPa", 170),
    ("-350 meV/atom", "eV/atom", -0.35),
    ("0.12 J/m\u00b2", "mJ/m2", 120),
    ("-145 kJ mol\u207b\u00b9", "eV/atom", -1.50282),
]
ABOUT_SOMETHING_ELSE = [
    ("140 GPa at 3.6 \u00c5", "GPa", 140),
    ("The bulk modulus is 140 GPa, which ranks 2.", "GPa", 140),
    ("150 (confidence 0.8)", "GPa", 150),
    ("150. Based on example 3.", "GPa", 150),
    ("Final answer: 150\n(1) similar to NaCl", "GPa", 150),
    ("1. Consider Ir.\n2. It is 320 GPa", "GPa", 320),
    ("Given example 1 (120 GPa) and example 2 (140 GPa), I say 130", "GPa", 130),
    ("I estimate 120 GPa (range 100-150 GPa)", "GPa", 120),
    ("the (111) slice shows 88 GPa", "GPa", 88),
    ("100(5) GPa", "GPa", 100),
    ("1.5 eV per formula unit", "eV/atom", None),
    ("mp-101 has Al2O3 along (111), space group Fm-3m, a = 3.6 \u00c5", "GPa", None),
    ("99%", "GPa", None),
    ("3.2 eV/f.u.", "eV/atom", None),
    ("1.2.3", "eV", None),
]
RANGES = [
    "150-170 GPa",
    "150 to 170 GPa",
    "between 150 and 170 GPa",
    "150 GPa to 170 GPa",
    "150 \u2013 170",
    "-5 to -3",
]
BOUNDS = ["> 150 GPa", "at least 150 GPa", "100 or 150 GPa"]
NOTHING = ["- 1.5 GPa", "", "NaN", "about a hundred", "1e400", "{}", "infinity"]


@pytest.mark.parametrize(("text", "unit", "number"), READ + CONVERTED + ABOUT_SOMETHING_ELSE)
def test_what_a_reader_would_read(text, unit, number):
    found = find_number(text, unit)
    assert found == (None if number is None else pytest.approx(number))


@pytest.mark.parametrize("text", RANGES + BOUNDS + NOTHING)
def test_what_is_no_answer(text):
    assert find_number(text, "GPa") is None


@pytest.mark.parametrize(
    ("text", "probability"),
    [
        ("0.85", 0.85),
        ("85%", 0.85),
        ("about 85 percent", 0.85),
        ("The probability is 0.7.", 0.7),
        ("Probability: 70 %, because the gap is 0.3 eV", 0.7),
        ("0.7 (confidence 0.9)", 0.7),
        ("80-90%", None),
        ("more than 50%", None),
    ],
)
def test_probabilities(text, probability):
    assert find_probability(text) == (None if probability is None else pytest.approx(probability))


@given(
    st.floats(-1e12, 1e12, allow_subnormal=False), st.sampled_from(["{}", "about {} GPa", "Answer: {}.", "Al2O3 {}"])
)
def test_every_float_survives(value, frame):
    assert find_number(frame.format(repr(value)), "GPa") == value


@given(st.text(max_size=60))
def test_no_text_is_too_odd(text):
    found = find_number(text, "GPa")
    assert found is None or math.isfinite(found)
