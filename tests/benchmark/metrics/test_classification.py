import numpy as np
import pytest
from ecdbench.benchmark.metrics import METRICS, Sample, metrics_for
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import balanced_accuracy_score, log_loss, roc_auc_score


def metric(name, target, prediction):
    target, rows = np.asarray(target, float), np.atleast_2d(np.asarray(prediction, float))
    sample = Sample(target, rows, np.full_like(rows, 0.5), np.arange(len(target)), kind="classification")
    return METRICS.get(name).values(sample)[0]


probability = st.floats(0.001, 0.999) | st.sampled_from([0.25, 0.5, 0.75])  # ties, too


@given(st.lists(st.tuples(st.booleans(), probability), min_size=2, max_size=40))
def test_agrees_with_scikit_learn(rows):
    target, prediction = np.array(rows, dtype=float).T
    assert metric("log_loss", target, prediction) == pytest.approx(log_loss(target, prediction, labels=[0, 1]))
    if len(set(target)) == 2:
        assert metric("roc_auc", target, prediction) == pytest.approx(roc_auc_score(target, prediction))
        expected = balanced_accuracy_score(target, prediction >= 0.5)
        assert metric("balanced_accuracy", target, prediction) == pytest.approx(expected)


@pytest.mark.parametrize("name", ["roc_auc", "balanced_accuracy"])
def test_one_class_alone_leaves_them_undefined(name):
    assert np.isnan(metric(name, [1, 1, 1], [0.2, 0.5, 0.9]))
    assert np.isfinite(metric("log_loss", [1, 1, 1], [0.2, 0.5, 0.9]))


def test_a_certain_error_costs_much_and_not_everything():
    assert metric("log_loss", [1, 0], [0.0, 0.0]) == pytest.approx(-np.log(1e-6) / 2, rel=1e-3)


def test_the_class_share_is_worth_the_entropy():
    target = np.array([1, 1, 1, 0])
    entropy = -(0.75 * np.log(0.75) + 0.25 * np.log(0.25))
    assert metric("log_loss", target, np.full(4, 0.75)) == pytest.approx(entropy)
    assert metric("roc_auc", target, np.full(4, 0.75)) == 0.5


def test_kinds_share_no_metric():
    assert not set(metrics_for("regression")) & set(metrics_for("classification"))
    assert list(metrics_for("regression")) == ["rmse", "r2", "mae", "skill", "rmse_over_range"]
