"""Differences of two models on the same rows."""

import numpy as np
import pytest
from ecdbench.benchmark.bootstrap import intervals
from ecdbench.benchmark.differences import PairedLoss, differences
from ecdbench.benchmark.metrics import METRICS, Metric, Sample, metrics_for
from sklearn.metrics import roc_auc_score


def make(target, prediction, kind="regression"):
    rows = np.atleast_2d(prediction)
    return Sample(target, rows, np.zeros_like(rows), np.arange(len(target)), kind=kind)


@pytest.fixture
def rows():
    generator = np.random.default_rng(5)
    target = generator.normal(100, 15, 120)
    return target, target + generator.normal(0, 6, 120)


def test_paired_differences(rows):
    target, prediction = rows
    better, worse = make(target, prediction), make(target, prediction + 2.0)
    forward, backward = differences(worse, better), differences(better, worse)
    for name, gap in forward.items():
        assert (gap.low, gap.high) == pytest.approx((-backward[name].high, -backward[name].low))
        assert gap.p_value == backward[name].p_value
    same = differences(better, make(target, prediction))
    assert all((gap.value, gap.low, gap.high, gap.p_value) == (0, 0, 0, 1) for gap in same.values())


def test_metrics_of_one_loss_have_one_verdict(rows):
    target, prediction = rows
    gaps = differences(make(target, prediction * 1.01), make(target, prediction))
    assert gaps["rmse"].p_value == gaps["r2"].p_value == gaps["rmse_over_range"].p_value


def test_pairing_separates_what_separate_intervals_do_not(rows):
    target, prediction = rows
    one, two = make(target, prediction), make(target, target + 1.1 * (prediction - target))
    metrics = {"rmse": METRICS.get("rmse")}
    assert intervals(one, metrics)["rmse"][1] > intervals(two, metrics)["rmse"][0]
    assert differences(two, one)["rmse"].low > 0


def test_an_undefined_value_has_no_difference():
    gap = differences(make(np.ones(9), np.arange(9.0)), make(np.ones(9), np.zeros(9)))["r2"]
    assert (gap.value, gap.low, gap.high, gap.p_value) == (None, None, None, None) and not gap.separates


def test_pseudo_values_are_the_jackknifes():
    random = np.random.default_rng(0)
    target = (random.random(40) < 0.5).astype(float)
    prediction = random.random(40)
    found = PairedLoss(METRICS.get("roc_auc"), make(target, prediction, "classification")).by_cluster
    keep = ~np.eye(40, dtype=bool)
    value = roc_auc_score(target, prediction)
    expected = [40 * value - 39 * roc_auc_score(target[rows], prediction[rows]) for rows in keep]
    assert found == pytest.approx(-np.array(expected))


def test_a_metric_without_a_loss_has_nearly_the_verdict_of_its_twin(rows):
    target, prediction = rows
    plain = Metric("own", "own", lambda s: ((s.prediction - s.target) ** 2).mean(axis=1))
    one, two = (PairedLoss(plain, make(target, p)) for p in (prediction, prediction + 1.5))
    gap, twin = one.minus(two), differences(make(target, prediction), make(target, prediction + 1.5))["rmse"]
    assert gap.p_value == pytest.approx(twin.p_value, rel=0.05)
    assert set(metrics_for("regression")) >= {"rmse", "r2"}
