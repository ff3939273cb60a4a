"""Whatever the text, it is plain values or one sentence, and what is printed is one harmless line."""

import json

import pytest
from ecdbench.benchmark.plain_yaml import parse_yaml
from ecdbench.benchmark.untrusted import DEEPEST, parse_json, printable
from hypothesis import given
from hypothesis import strategies as st


@given(st.text())
def test_printable_text_is_one_line_and_can_be_written(text):
    shown = printable(text)
    assert "\n" not in shown and "\x1b" not in shown
    assert shown.encode() is not None and printable(shown) == shown


@given(st.text(max_size=200))
def test_any_text_as_yaml_and_json(text):
    for parse in (parse_yaml, parse_json):
        try:
            parse(text)
        except ValueError as error:
            assert "\n" not in str(error)


@pytest.mark.parametrize("levels", [DEEPEST + 1, 500, 100_000])
def test_deep_texts_are_refused(levels):
    for text in ("[" * levels + "]" * levels, '{"a":' * levels + "1" + "}" * levels):
        for parse in (parse_yaml, parse_json):
            with pytest.raises(ValueError, match="nested too deeply"):
                parse(text)
    assert parse_json("[" * DEEPEST + "]" * DEEPEST) == json.loads("[" * DEEPEST + "]" * DEEPEST)
