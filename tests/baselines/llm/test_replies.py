"""Strict and flexible reading of replies, and why there is no number."""

import pytest
from ecdbench.baselines.llm.replies import read_completion, read_reply


def _read(text, finish="stop", is_probability=False, **message):
    response = {"choices": [{"finish_reason": finish, "message": {"content": text, **message}}]}
    return read_reply(read_completion(response), "GPa", is_probability)


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
