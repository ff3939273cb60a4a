"""A metric of another package: what it returns is checked, and its two routes agree."""

import numpy as np
import pytest
from ecdbench.benchmark.errors import DataError
from ecdbench.benchmark.metrics import Metric, Sample

SAMPLE = Sample(np.arange(6.0), np.arange(12.0).reshape(2, 6), np.zeros((2, 6)), np.array(list("aabbcc")))


def bias(sample):
    return (sample.prediction - sample.target).mean(axis=1)


def bias_of_counts(sample, counts):
    return (sample.prediction - sample.target) @ counts.T / counts.sum(axis=1)


def test_the_plain_and_the_fast_route_agree():
    plain, fast = Metric("bias", "bias", bias), Metric("bias", "bias", resampled=bias_of_counts)
    np.testing.assert_allclose(plain.values(SAMPLE), fast.values(SAMPLE))
    counts = np.random.default_rng(0).integers(0, 3, size=(50, 6)) + np.eye(6)[0]
    assert plain.on_resamples(SAMPLE, counts).shape == (2, 50)
    np.testing.assert_allclose(plain.on_resamples(SAMPLE, counts), fast.on_resamples(SAMPLE, counts))
    by_loss = Metric("rmse", "RMSE", loss=lambda s: (s.prediction - s.target) ** 2, of_means=np.sqrt)
    same = Metric("rmse", "RMSE", lambda s: np.sqrt(((s.prediction - s.target) ** 2).mean(axis=1)))
    np.testing.assert_allclose(by_loss.on_resamples(SAMPLE, counts), same.on_resamples(SAMPLE, counts))
    np.testing.assert_allclose(by_loss.values(SAMPLE), same.values(SAMPLE))


@pytest.mark.parametrize(
    ("metric", "sentence"),
    [
        (Metric("x", "x", lambda sample: 1 / 0), r"The metric 'x' failed \(ZeroDivisionError"),
        (Metric("x", "x", lambda sample: 1.0), r"The metric 'x' returned shape \(\), not \(2,\): one value per seed"),
        (Metric("x", "x", lambda sample: "much"), r"The metric 'x' failed \(ValueError"),
        (Metric("x", "x", resampled=lambda sample, counts: counts), r"The metric 'x' returned shape \(1, 6\)"),
        (Metric("x", "x", loss=lambda sample: sample.target), r"The metric 'x' returned shape \(6,\), not \(2, 6\)"),
        (Metric("x", "x", loss=lambda sample: -sample.prediction), "The loss of the metric 'x' must be at least 0"),
    ],
)
def test_a_metric_that_returns_something_else_is_named(metric, sentence):
    with pytest.raises(DataError, match=sentence):
        metric.values(SAMPLE)
