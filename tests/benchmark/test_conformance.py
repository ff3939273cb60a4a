import pytest
from ecdbench import check_predictor

GOOD = """
import numpy as np
class Mine:
    def fit(self, train, validation, context):
        self.rng = np.random.default_rng(context.seed)
        self.mean = float(np.mean(train["target"])) + 100 * self.rng.normal()
    def predict(self, data):
        return np.array([self.mean + d.mean() for d in data["density"]])
"""


def outcome(checks):
    return {check.name: check.outcome for check in checks}


def test_a_good_model_passes(write_model, k_vrh):
    assert set(outcome(check_predictor(str(write_model(GOOD)), k_vrh)).values()) == {"passed"}


@pytest.mark.parametrize("name", ["mean", "knn-composition", "density-forest", "pixel-ridge"])
def test_the_baselines_pass(name, k_vrh):
    assert set(outcome(check_predictor(name, k_vrh)).values()) == {"passed"}


@pytest.mark.parametrize(
    ("change", "failed"),
    [
        (("return np.array(", "return np.array([np.nan] + "), "predicts one finite number"),
        (("self.mean + d.mean()", "self.mean + d.mean() * len(data)"), "a single row"),
        (("return np.array([self.mean + d.mean() for d", "return np.array([self.mean + i for i, d"), "order"),
        (("self.mean + d.mean()", "self.mean + self.rng.normal()"), "single row"),
        (("context.seed", "None"), "same seed"),
        (('data["density"]', 'data["target"]'), "without targets"),
        (("def fit(self, train, validation, context)", "def fit(self, train)"), "fits on train"),
        (
            ("class Mine:", "class Mine:\n    def predict_std(self, data):\n        return -np.ones(len(data))\n"),
            "standard dev",
        ),
        (("class Mine:", "class Mine:\n    def __init__(self, size):\n        self.size = size\n"), "is built"),
    ],
)
def test_bad_models_fail_where_they_are_bad(write_model, k_vrh, change, failed):
    source = (
        GOOD.replace(*change)
        .replace("for i, d in data", "for i, d in enumerate(data")
        .replace('enumerate(data["density"]', 'enumerate(data["density"])')
    )
    checks = check_predictor(str(write_model(source)), k_vrh)
    bad = [check for check in checks if check.outcome == "failed"]
    assert len(bad) == 1, checks
    assert failed in bad[0].name
    assert bad[0].remedy
