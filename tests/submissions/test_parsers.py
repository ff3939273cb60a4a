"""Whatever the bytes, a parser gives a value or one sentence."""

import contextlib
import math
from pathlib import Path

import yaml
from ecdbench.benchmark.errors import DataError
from ecdbench.submissions.card import Card, card_of, read_card, slug_of
from ecdbench.submissions.checks import agree
from ecdbench.submissions.predictions import read_predictions
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from .conftest import FILLED

ANY_TEST = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(content=st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
@ANY_TEST
def test_any_bytes_as_a_card(tmp_path, content):
    file = tmp_path / "card.yaml"
    file.write_bytes(content)
    try:
        assert isinstance(read_card(file), Card)
    except DataError as error:
        assert "\n" not in str(error)


@given(values=st.dictionaries(st.sampled_from(sorted(Card.model_fields)), plain), data=st.data())
@ANY_TEST
def test_any_values_in_a_card(values, data):
    honest = yaml.safe_load(FILLED)
    kept = data.draw(st.sets(st.sampled_from(sorted(honest))))
    try:
        card = card_of({**{name: honest[name] for name in kept}, **values}, Path("card.yaml"))
    except DataError as error:
        assert "ecdbench card schema" in str(error)
    else:
        assert slug_of(card.name) == card.slug and "/" not in card.slug and card.slug != ".."


@given(content=st.binary(max_size=400), at=st.integers(0, 5000))
@ANY_TEST
def test_any_bytes_in_a_parquet_file(tmp_path, honest, content, at):
    original = (honest / "fixed-official" / "predictions.parquet").read_bytes()
    file = tmp_path / "predictions.parquet"
    file.write_bytes(original[:at] + content + original[at + len(content) :])
    with contextlib.suppress(DataError):
        read_predictions(file)  # some bytes crash the library that reads them


@given(st.floats(1e-6, 1e6), st.integers(0, 5))
def test_a_changed_digit_never_agrees(value, position):
    claimed = float(f"{value:.6g}")
    assume(abs(claimed - value) < 0.48 * 10.0 ** (math.floor(math.log10(value)) - 5))  # a half goes either way
    assert agree(claimed, value)
    scale = 10.0 ** (math.floor(math.log10(claimed)) - position)
    assert not agree(claimed + scale, value) and not agree(claimed - scale, value)
