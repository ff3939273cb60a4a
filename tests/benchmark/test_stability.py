import json

import pytest

MODEL = """
import numpy as np

class Noisy:
    def __init__(self, shift=0.0):
        self.shift = shift

    def fit(self, train, validation, context):
        self.mean = np.mean(train["target"]) + self.shift + 10 * context.seed

    def predict(self, data):
        return np.full(len(data), self.mean)
"""
TASK = ("--task", "ecd-fcc/k_vrh")


def test_seeds(cli, write_model):
    model = write_model(MODEL)
    found = json.loads(cli("stability", model, *TASK, "--seeds", 4, "--json").out)["rmse"]
    values = found["values"]
    assert len(values) == 4 and len(set(values)) == 4
    mean = sum(values) / 4
    spread = (sum((value - mean) ** 2 for value in values) / 3) ** 0.5
    assert found["mean"] == pytest.approx(mean) and found["spread"] == pytest.approx(spread)
    # Student's t with three degrees of freedom: 3.182.
    assert found["high"] - mean == pytest.approx(3.182 * spread / 2, rel=1e-3)


def test_a_parameter(cli, write_model):
    found = cli("stability", write_model(MODEL), *TASK, "--vary", "shift=0,5,10")
    assert found.code == 0, found.err
    for word in ("shift=0", "shift=5", "shift=10", "standard deviation", "Student's t"):
        assert word in found.out


def test_a_parameter_that_is_a_list(cli, write_model):
    listed = MODEL.replace("self.shift = shift", "self.shift = sum(shift)").replace("shift=0.0", "shift=()")
    found = json.loads(cli("stability", write_model(listed), *TASK, "--vary", "shift=[1,2],[30]", "--json").out)
    assert len(set(found["rmse"]["values"])) == 2


def test_one_run_has_no_spread(cli, write_model):
    found = cli("stability", write_model(MODEL), *TASK, "--seeds", 1)
    assert found.code == 0 and "undefined" in found.out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--vary", "shift"), "invalid --vary"),
        (("--vary", "shift=1", "--set", "shift=2"), "both set and varied"),
        (("--vary", "width=1,2"), "no parameter 'width'"),
        (("--vary", "shift=1,1"), "is given twice"),
    ],
)
def test_what_cannot_be_varied(cli, write_model, arguments, message):
    found = cli("stability", write_model(MODEL), *TASK, *arguments)
    assert found.code == 1 and message in found.err
