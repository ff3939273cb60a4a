"""Scores of stated deviations against scipy and numerical integration."""

import numpy as np
import pytest
from ecdbench import evaluate
from ecdbench.benchmark.metrics import METRICS, metrics_for
from ecdbench.benchmark.scoring import make_sample, score
from ecdbench.submissions.rescoring import rescore
from scipy import integrate, stats


def sample(deviation=1.0, n=200, scale=10.0):
    random = np.random.default_rng(0)
    target, wrong = random.normal(size=n), random.normal(size=(2, n))
    stated = None if deviation is None else np.full((2, n), deviation)
    return make_sample(target, target + wrong, np.zeros((2, n)), np.arange(n), scale, "regression", stated)


def test_crps_is_its_integral():
    found = METRICS.get("crps").rows(sample(0.7, 5))[0]
    one = sample(0.7, 5)
    for i, (prediction, target) in enumerate(zip(one.prediction[0], one.target, strict=True)):
        below = integrate.quad(lambda x, p=prediction: stats.norm.cdf(x, p, 0.7) ** 2, -20, target)[0]
        above = integrate.quad(lambda x, p=prediction: stats.norm.sf(x, p, 0.7) ** 2, target, 20)[0]
        assert found[0, i] == pytest.approx(below + above, rel=1e-5)


def test_likelihood_z_and_intervals_are_scipys():
    one = sample(1.3)
    logs = stats.norm.logpdf(one.target, one.prediction, 1.3)
    z = (one.target - one.prediction) / 1.3
    assert METRICS.get("nll").values(one) == pytest.approx(-logs.mean(axis=1))
    assert METRICS.get("squared_z").values(one) == pytest.approx((z**2).mean(axis=1))
    low, high = stats.norm.interval(0.95, one.prediction, 1.3)
    held = ((low <= one.target) & (one.target <= high)).mean(axis=1)
    assert METRICS.get("interval_coverage").values(one) == pytest.approx(held)


@pytest.mark.parametrize(("deviation", "low", "high"), [(1.0, 0, 0.05), (0.01, 0.45, 0.5), (100, 0.45, 0.5)])
def test_miscalibration_is_zero_where_deviations_are_right_and_a_half_at_worst(deviation, low, high):
    area = METRICS.get("miscalibration_area").values(sample(deviation))
    assert (low <= area).all() and (area <= high).all()


def test_the_area_is_that_of_the_calibration_curve():
    one = sample(0.5)
    levels = np.linspace(0, 1, 101)
    z = np.abs(one.prediction[0] - one.target) / 0.5
    share = [(z <= stats.norm.ppf((1 + level) / 2)).mean() for level in levels]
    expected = np.trapezoid(np.abs(np.array(share) - levels), levels)
    assert METRICS.get("miscalibration_area").values(one)[0] == pytest.approx(expected)


def test_what_states_nothing_is_not_scored():
    assert "crps" not in metrics_for("regression") and "crps" in metrics_for("regression", deviations=True)
    assert "crps" not in score(sample(None)).metrics
    assert score(sample(None))["crps"].value is None
    with pytest.raises(KeyError):
        score(sample(1.0))["crbs"]
    assert score(sample(1.0))["crps"].low is not None


def test_a_missing_deviation_and_that_of_a_failed_prediction_are_as_wide_as_the_range():
    prediction, stated = np.array([[1.0, np.nan, 3.0]]), np.array([[0.1, 0.1, np.nan]])
    one = make_sample(np.zeros(3), prediction, np.zeros((1, 3)), np.arange(3), 12.0, "regression", stated)
    assert one.deviation[0] == pytest.approx([0.1, 12 / np.sqrt(12), 12 / np.sqrt(12)])
    nothing = make_sample(np.zeros(3), prediction, np.zeros((1, 3)), np.arange(3), 1.0, "regression", stated * np.nan)
    assert nothing.deviation is None


def test_a_deviation_of_zero_costs_much_and_not_everything():
    assert np.isfinite([METRICS.get(name).values(sample(0.0)) for name in ("nll", "squared_z", "crps")]).all()


SEEDED = """
import numpy as np
class Seeded:
    inputs = ()
    def fit(self, train, validation, context): self.seed = context.seed
    def predict(self, data): return np.full(len(data), 100.0) + SCALE * self.seed
"""


def test_seeds_that_differ_say_how_sure_a_model_is(write_model, k_vrh):
    seeded = write_model(SEEDED.replace("SCALE", "10"))
    run = evaluate(str(seeded), k_vrh, seeds=3)
    assert run.predictions()["prediction_std"].to_numpy() == pytest.approx(10)
    assert rescore(run.folder).scores["holdout"]["crps"].value is not None
    assert "prediction_std" not in evaluate(str(seeded), k_vrh, seeds=2).predictions()
    same = write_model(SEEDED.replace("SCALE", "0"), "same.py")
    assert "prediction_std" not in evaluate(str(same), k_vrh, seeds=3).predictions()


@pytest.mark.parametrize("model", ["mean", "composition-forest", "fourier-gpr"])
def test_baselines_state_deviations(model, k_vrh, cli):
    run = evaluate(model, k_vrh)
    scores = run.result.scores["holdout"]
    assert 0.8 < scores["interval_coverage"].value <= 1 and scores["squared_z"].value < 3
    assert rescore(run.folder).scores["holdout"] == scores
    assert "Stated deviations" in cli("evaluate", model, "-t", "ecd-fcc/k_vrh").out
