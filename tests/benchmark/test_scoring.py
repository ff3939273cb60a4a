import numpy as np
import pytest
from ecdbench.benchmark.scoring import make_sample, score


def impute(target, prediction, baseline, clusters, scale=40.0, kind="regression"):
    return make_sample(target, prediction, baseline, clusters, scale, kind)


@pytest.fixture
def case():
    generator = np.random.default_rng(2)
    target = generator.normal(50, 10, 40)
    return target, np.full((1, 40), 50.0), np.arange(40)


def test_the_training_mean_has_no_skill(case):
    target, mean, clusters = case
    scores = score(impute(target, mean, mean, clusters))
    assert scores["skill"].value == 0
    assert (scores["skill"].low, scores["skill"].high) == (0, 0)
    assert scores["rmse_over_range"].value == pytest.approx(scores["rmse"].value / 40)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_failed_prediction_counts_as_the_training_mean(case, bad):
    target, mean, clusters = case
    failed, replaced = target[None].copy(), target[None].copy()
    failed[0, :10] = bad
    replaced[0, :10] = mean[0, :10]
    one, two = (score(impute(target, p, mean, clusters)) for p in (failed, replaced))
    assert one.coverage == 0.75
    assert two.coverage == 1
    assert one["rmse"] == two["rmse"]


def test_a_perfect_prediction(case):
    target, mean, clusters = case
    scores = score(impute(target, target[None], mean, clusters))
    assert (scores["rmse"].value, scores["r2"].value, scores["skill"].value) == (0, 1, 1)


def test_spread_over_seeds_is_kept_apart_from_sampling(case):
    target, mean, clusters = case
    error = np.random.default_rng(0).normal(0, 1, 40)
    same = score(impute(target, np.stack([target + error] * 3), np.repeat(mean, 3, 0), clusters))
    wild = score(
        impute(target, np.stack([target + k * error for k in (0.5, 1.0, 1.5)]), np.repeat(mean, 3, 0), clusters)
    )
    single = score(impute(target, (target + error)[None], mean, clusters))
    assert single["rmse"].seed_std is None
    assert same["rmse"].seed_std == pytest.approx(0, abs=1e-12)
    assert wild["rmse"].seed_std == pytest.approx(0.5 * single["rmse"].value)
    assert (same["rmse"].low, same["rmse"].high) == pytest.approx((wild["rmse"].low, wild["rmse"].high))


def test_constant_targets_leave_r2_undefined():
    zeros = np.zeros(12)
    scores = score(impute(zeros, np.ones((1, 12)), np.zeros((1, 12)), np.arange(12)))
    assert scores["r2"].value is None
    assert scores["skill"].value is None
    assert scores["rmse"].value == 1


@pytest.mark.parametrize("bad", [-0.01, 1.5, np.nan, np.inf])
def test_what_is_not_a_probability_counts_as_the_class_share(bad):
    target, share = np.array([1.0, 0.0, 1.0, 1.0]), np.full((1, 4), 0.75)
    prediction = np.array([[0.9, 0.2, 0.8, bad]])
    found = impute(target, prediction, share, np.arange(4), kind="classification")
    assert found.coverage == 0.75 and found.prediction[0, 3] == 0.75
    assert list(score(found).metrics) == ["log_loss", "roc_auc", "balanced_accuracy"]
