"""Objects as models write them, decoded from their first brace."""

import json

import pytest
from ecdbench.baselines.llm.reading.json_objects import find_objects
from hypothesis import given
from hypothesis import strategies as st

PLAIN = st.text(alphabet=st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8)


def _found(text):
    return [(found.content, found.is_whole) for found in find_objects(text)]


@pytest.mark.parametrize(
    ("text", "content", "is_whole"),
    [
        ('{"value": 165, "nearest": {"value": 346}}', {"value": "165", "nearest": {"value": "346"}}, True),
        ("{'value': 165, /* of 2023 */}", {"value": "165"}, True),
        ("{value: 165 GPa // {1}\n}", {"value": "165 GPa"}, True),
        ('{"value": 1,650, "unit": "GPa"}', {"value": "1,650", "unit": "GPa"}, True),
        (
            '{"note": "see {1}, \\"x\\"", "value": [165, null]}',
            {"note": 'see {1}, "x"', "value": ["165", "null"]},
            True,
        ),
        ('{"value": 165, "note": "it ends', {"value": "165"}, False),
        ('{"value": 150, "nearest": {"value": 346}', {"value": "150", "nearest": {"value": "346"}}, False),
        ('{"value": 150, 165}', {}, False),
    ],
)
def test_what_models_write(text, content, is_whole):
    assert _found(text) == ([(content, is_whole)] if content else [])


def test_braces_of_latex_and_sets_are_no_objects():
    assert _found("\\boxed{165} and 10^{2} of {1, 2} in {}") == []


def test_several_objects_are_found_in_order():
    assert [content for content, _ in _found('{"a": 1} or {"b": {"c": 2}}{"d": 3}')] == [
        {"a": "1"},
        {"b": {"c": "2"}},
        {"d": "3"},
    ]


@given(st.dictionaries(PLAIN, st.one_of(PLAIN, st.lists(PLAIN), st.dictionaries(PLAIN, PLAIN)), min_size=1))
def test_json_is_decoded_as_json(content):
    assert _found(f"Here: {json.dumps(content)}.") == [(content, True)]
