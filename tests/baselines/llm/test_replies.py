"""Strict and flexible reading of replies, and why there is no number."""

import json
import math
import time
from pathlib import Path

import pytest
import yaml
from ecdbench.baselines.llm.replies import read_completion, read_reply
from hypothesis import given
from hypothesis import strategies as st

CASES = yaml.safe_load(Path(__file__).with_name("replies.yaml").read_text(encoding="utf-8"))


def _read(text, finish="stop", is_probability=False, unit="GPa", **message):
    target = {name: message.pop(name) for name in ("target", "description") if name in message}
    response = {"choices": [{"finish_reason": finish, "message": {"content": text, **message}}]}
    return read_reply(read_completion(response), unit, is_probability, **target)


def _misread(case):
    """What is wrong about the reading of a case, or None."""
    given = {name: case[name] for name in ("finish", "target", "description") if name in case}
    reading = _read(case["reply"], is_probability=case.get("probability", False), unit=case.get("unit", ""), **given)
    value = reading.flexible
    is_right = value == (None if case["value"] is None else pytest.approx(case["value"], rel=1e-3))
    if is_right and reading.status == case.get("status", "ok" if value is not None else reading.status):
        return None
    return f"{case['reply']!r} is read as {value} ({reading.status}), not {case['value']}"


def test_replies_are_read_as_a_careful_reader_would():
    """Every reply of the collection; a wrong number is worse than none."""
    misread = [wrong for case in CASES if (wrong := _misread(case))]
    assert not misread, "\n".join(misread)
    assert len(CASES) > 500 and sum(case["value"] is None for case in CASES) > 100


@pytest.mark.parametrize(
    ("text", "strict", "flexible"),
    [
        ('{"value": 170.5}', 170.5, 170.5),
        (' {"value": -1e2}\n', -100, -100),
        ('```json\n{"value": 170}\n```', None, 170),
        ('{"value": 1}\nNo: {"value": 2}', None, 2),
        ('{"value": "170 GPa"}', None, 170),
        ('{"value": 170000, "unit": "MPa"}', None, 170),
        ('{"value": 1.5, "units": "Mbar"}', None, 150),
        ('{"prediction": 150, "confidence": 0.8}', None, 150),
        ('let me see {"value": 3} no</think>\n150 GPa', None, 150),
        ("<think>It is 5 GPa, or 6.</think>\n7 GPa", None, 7),
        ("I'm sorry, I can only guess: 100 GPa", None, 100),
    ],
)
def test_numbers(text, strict, flexible):
    reading = _read(text)
    assert (reading.status, reading.strict, reading.flexible) == ("ok", strict, pytest.approx(flexible))


@pytest.mark.parametrize(
    "text",
    ['{"value": NaN}', '{"value": Infinity}', '{"value": true}', '{"value": null}', '{"value": [1, 2]}', '{"value": 17',
     '{"value": "150-170"}', '{"confidence": 0.8}', "", None, "no idea", "<think>170"],
)  # fmt: skip
def test_no_number(text):
    reading = _read(text, "length" if text == '{"value": 17' else "stop")
    assert (reading.status, reading.strict, reading.flexible) == ("unparsed", None, None)


def test_a_cut_reply_counts_only_where_its_object_is_whole():
    assert _read("The modulus is about 17", "length").status == "unparsed"
    whole = _read('{"value": 170}\n\nThis is beca', "length")
    assert (whole.status, whole.flexible, whole.is_cut) == ("ok", 170, True)


def test_refused_and_filtered():
    assert _read(None, refusal="I will not").status == "refused"
    assert _read("I\u2019m sorry, but I cannot estimate this.").status == "refused"
    assert _read("", "content_filter").status == "filtered"


@pytest.mark.parametrize(
    ("text", "strict", "flexible"),
    [
        ('{"value": 0.85}', 0.85, 0.85),
        ('{"value": 1}', 1, 1),
        ('{"value": "85%"}', None, 0.85),
        ('{"value": 85, "unit": "%"}', None, 0.85),
        ('{"probability": 0.3}', None, 0.3),
        ("I would say 85 %.", None, 0.85),
    ],
)
def test_probabilities(text, strict, flexible):
    reading = _read(text, is_probability=True)
    assert (reading.status, reading.strict, reading.flexible) == ("ok", strict, pytest.approx(flexible))


@pytest.mark.parametrize("text", ['{"value": 85}', '{"value": -0.1}', '{"value": "850%"}', "1.5", "85", "true"])
def test_no_probability(text):
    reading = _read(text, is_probability=True)
    assert (reading.status, reading.strict, reading.flexible) == ("unparsed", None, None)


def test_content_in_parts():
    assert _read([{"type": "text", "text": '{"value": 3}'}]).strict == 3


@given(
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from(["{}", "Sure: {} I hope it helps.", "```json\n{}\n```"]),
)
def test_every_number_in_json_survives(value, frame):
    reading = _read(frame.format(json.dumps({"nearest": {"value": 1}, "value": value, "note": "see {1}"})))
    assert reading.flexible == value


_PIECES = [
    *(
        "165",
        " GPa",
        "{",
        "}",
        '"value"',
        ":",
        "[",
        "]",
        "-",
        "\u2013",
        ".",
        ",",
        "e",
        "10^",
        "(",
        ")",
        "/",
        "<",
        ">",
        "%",
    ),
    *("\\text{", "<think>", "</think>", "answer is ", "\n", "\u0661", "\u00b2", " or ", "I cannot "),
]


@given(st.one_of(st.text(), st.lists(st.sampled_from(_PIECES)).map("".join)), st.booleans())
def test_no_reply_is_too_odd(text, is_probability):
    reading = _read(text, is_probability=is_probability)
    assert (reading.flexible is None) == (reading.status != "ok")
    assert reading.flexible is None or math.isfinite(reading.flexible)


HOSTILE = {
    "10 MB of braces": "{" * 10**7,
    "objects in objects": '{"value":' * 10**5 + "1" + "}" * 10**5,
    "lists in lists": '{"value": ' + "[" * 10**5,
    "a million digits": "1" * 10**6,
    "a million digits in JSON": '{"value": ' + "1" * 10**6 + "}",
    "numbers": "165 GPa " * 10**5,
    "ranges": "1-" * 10**6,
    "units": "1 " + "m/" * 10**6,
    "thoughts": "<think>" * 10**6,
    "comments": "{/*" * 10**5,
    "marks": "the answer is 1 or " * 10**5,
    "labels": "confidence of the " * 10**5,
    "lines": "2023\n" * 10**5,
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_hostile_replies_take_bounded_time(text):
    _read("1 Mbar")  # what is made once
    start = time.process_time()
    _read(text)
    assert time.process_time() - start < 2


def test_the_target_may_be_named():
    bulk = {"target": "k_vrh", "description": "bulk modulus (Voigt-Reuss-Hill average)"}
    shear = {"target": "g_vrh", "description": "shear modulus (Voigt-Reuss-Hill average)"}
    for text in ('{"bulk_modulus": 165, "shear_modulus": 80}', "Bulk modulus: 165 GPa. Shear modulus: 80 GPa."):
        assert (_read(text, **bulk).flexible, _read(text, **shear).flexible) == (165, 80)
    assert _read('{"lattice_parameter": 4.05}', **bulk).flexible is None
