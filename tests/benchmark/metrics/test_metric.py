"""A metric of another package: what it returns is checked, and its two routes agree."""

import numpy as np
import pytest
from ecdbench.benchmark.bootstrap import resample
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
    found = resample(SAMPLE, {"plain": plain, "fast": fast}, resamples=50)
    assert found["plain"].shape == (2, 50)
    np.testing.assert_allclose(found["plain"], found["fast"])


@pytest.mark.parametrize(
    ("metric", "sentence"),
    [
        (Metric("x", "x", lambda sample: 1 / 0), r"The metric 'x' failed \(ZeroDivisionError"),
        (Metric("x", "x", lambda sample: 1.0), r"The metric 'x' returned shape \(\), not \(2,\): one value per seed"),
        (Metric("x", "x", lambda sample: "much"), r"The metric 'x' failed \(ValueError"),
        (Metric("x", "x", resampled=lambda sample, counts: counts), r"The metric 'x' returned shape \(1, 6\)"),
    ],
)
def test_a_metric_that_returns_something_else_is_named(metric, sentence):
    with pytest.raises(DataError, match=sentence):
        metric.values(SAMPLE)
