"""Binary targets: the model is asked for the probability that the target is true."""

import json
from pathlib import Path

import numpy as np
import pytest
from datasets import Dataset
from ecdbench.baselines.in_context import InContext


@pytest.fixture
def context(binary_context):
    return binary_context("is_metal", "whether the crystal is a metal")


def test_probabilities_are_asked_for_and_read(serve, context):
    replies = {"A": '{"value": 0.9}', "B": "20 %", "C": '{"value": 85}', "D": '{"value": 0}'}
    server = serve(reply=lambda body: replies[body["messages"][-1]["content"][len("Description: ")]])
    train = Dataset.from_dict({"id": list("wxyz"), "text": list("WXYZ"), "target": [1.0, 0.0, 1.0, 1.0]})
    rows = Dataset.from_dict({"id": list("abcd"), "text": list("ABCD")})
    model = InContext(model="made-up", base_url=server.url, shots=4)
    model.fit(train, train, context)
    np.testing.assert_allclose(model.predict(rows), [0.9, 0.2, np.nan, 0.0])
    assert model.predict_status(rows) == {"a": "ok", "b": "ok", "c": "unparsed", "d": "ok"}
    np.testing.assert_allclose(model.predict_stages(rows)["strict parser"], [0.9, np.nan, np.nan, 0.0])
    system, *examples, question = server.bodies[0]["messages"]
    assert "the probability that the property is true" in system["content"] and "0.75" in system["content"]
    assert "whether the crystal is a metal" in system["content"]
    shown = {
        asked["content"][len("Description: ")]: told["content"]
        for asked, told in zip(examples[::2], examples[1::2], strict=True)
    }
    assert shown == {"W": '{"value": 1}', "X": '{"value": 0}', "Y": '{"value": 1}', "Z": '{"value": 1}'}
    assert "What is the probability that is_metal is true" in question["content"]
    lines = [json.loads(line) for line in Path(context.work_dir, "replies.jsonl").read_text().splitlines()]
    assert len(lines) == 4


def test_the_prompt_of_each_kind_is_in_the_fingerprint():
    regression, classification = InContext(model="made-up").fingerprint()["prompts"]
    assert regression != classification
    # Accepted entries name this hash; a changed prompt is a new file.
    assert regression == "fdf29002ed15d5d60b7de2e55846a1ccf7c510c0936fd6ca70f8f293af6e41b4"
