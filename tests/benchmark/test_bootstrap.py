import numpy as np
import pytest
from ecdbench.benchmark.bootstrap import RESAMPLES, interval, resample
from ecdbench.benchmark.metrics import Metric, Sample, metrics_for
from ecdbench.benchmark.scoring import difference, differences, mean_draws
from scipy import stats


def make(target, prediction, clusters=None):
    rows = np.atleast_2d(prediction)
    return Sample(target, rows, np.zeros_like(rows), np.arange(len(target)) if clusters is None else clusters)


def resampled_metrics(target, prediction, clusters=None, resamples=RESAMPLES, seed=0):
    return resample(make(target, prediction, clusters), metrics_for("regression"), resamples, seed)


@pytest.fixture
def sample():
    generator = np.random.default_rng(5)
    target = generator.normal(100, 15, 120)
    return target, target + generator.normal(0, 6, 120)


def test_intervals_agree_with_scipy(sample):
    target, prediction = sample
    found = resampled_metrics(target, prediction)
    reference = {
        "rmse": lambda y, p, axis=-1: np.sqrt(((y - p) ** 2).mean(axis)),
        "mae": lambda y, p, axis=-1: np.abs(y - p).mean(axis),
        "r2": lambda y, p, axis=-1: 1 - ((y - p) ** 2).sum(axis) / ((y - y.mean(axis, keepdims=True)) ** 2).sum(axis),
    }
    for name, statistic in reference.items():
        expected = stats.bootstrap(
            (target, prediction),
            statistic,
            paired=True,
            vectorized=True,
            n_resamples=10_000,
            method="percentile",
            rng=1,
        ).confidence_interval
        low, high = interval(found[name][0])
        width = expected.high - expected.low
        assert low == pytest.approx(expected.low, abs=0.05 * width)
        assert high == pytest.approx(expected.high, abs=0.05 * width)


def test_the_seed_decides(sample):
    same = [resampled_metrics(*sample, resamples=500, seed=3)["rmse"] for _ in range(2)]
    other = resampled_metrics(*sample, resamples=500, seed=4)["rmse"]
    assert np.array_equal(*same)
    assert not np.array_equal(same[0], other)


def test_many_samples_in_chunks_match_a_direct_resampling():
    generator = np.random.default_rng(0)
    target = generator.normal(size=3000)
    found = resampled_metrics(target, target + 1.0, resamples=800)
    assert found["rmse"].shape == (1, 800)
    assert np.allclose(found["rmse"], 1.0)
    spread = resampled_metrics(target, target * 0, resamples=800)["rmse"].std()
    assert spread == pytest.approx(1 / np.sqrt(2 * 3000), rel=0.1)


def test_copies_of_a_sample_add_no_certainty_when_clustered(sample):
    target, prediction = (np.repeat(part, 4) for part in sample)
    clusters = np.repeat(np.arange(120), 4)
    width = {}
    for name, arguments in {
        "single": sample,
        "copies": (target, prediction),
        "clustered": (target, prediction, clusters),
    }.items():
        low, high = interval(resampled_metrics(*arguments)["rmse"][0])
        width[name] = high - low
    assert width["clustered"] == pytest.approx(width["single"], rel=0.05)
    assert width["copies"] == pytest.approx(width["single"] / 2, rel=0.1)


def test_cluster_labels_and_their_order_do_not_matter(sample):
    target, prediction = sample
    labels = np.array(["Fe", "Ni", "Co"])[np.arange(120) % 3]
    shuffled = np.random.default_rng(0).permutation(120)
    one = resampled_metrics(target, prediction, labels, resamples=200)["rmse"]
    two = resampled_metrics(target[shuffled], prediction[shuffled], labels[shuffled], resamples=200)["rmse"]
    assert np.allclose(one, two)


def test_paired_differences(sample):
    target, prediction = sample
    better, worse = make(target, prediction), make(target, prediction + 2.0)
    forward, backward = differences(worse, better), differences(better, worse)
    for name, gap in forward.items():
        if gap.value is not None:
            assert (gap.low, gap.high) == pytest.approx((-backward[name].high, -backward[name].low))
    same = differences(better, make(target, prediction))
    assert all((gap.low, gap.high) == (0, 0) for name, gap in same.items() if name in ("rmse", "r2", "mae"))


def test_pairing_separates_what_separate_intervals_do_not(sample):
    target, prediction = sample
    slightly_worse = target + 1.1 * (prediction - target)
    one, two = (interval(resampled_metrics(target, p)["rmse"][0]) for p in (prediction, slightly_worse))
    assert one[1] > two[0]
    assert differences(make(target, slightly_worse), make(target, prediction))["rmse"].low > 0


def test_a_metric_without_a_fast_route_sees_the_same_resamples(sample):
    plain = Metric("rmse", "RMSE", lambda s: np.sqrt(((s.prediction - s.target) ** 2).mean(axis=1)))
    clusters = np.arange(120) // 3
    slow = resample(make(*sample, clusters), {"rmse": plain}, 200)["rmse"]
    assert slow == pytest.approx(resampled_metrics(*sample, clusters, 200)["rmse"])


def test_an_undefined_value_has_no_difference():
    draws = mean_draws(metrics_for("regression")["rmse"], make(np.arange(9.0), np.ones(9)), 50)
    assert difference(float("nan"), 1.0, draws, draws).value is None


def test_an_interval_is_undefined_where_the_metric_mostly_is():
    target = np.array([0.0] * 30 + [1.0])
    found = resampled_metrics(target, np.zeros(31))
    assert interval(found["r2"][0]) is None
    assert interval(found["rmse"][0]) is not None


def test_intervals_cover_the_truth_about_as_often_as_they_say():
    generator = np.random.default_rng(7)
    hits = 0
    for _ in range(300):
        error = generator.normal(0, 1, 60)
        low, high = interval(resampled_metrics(np.arange(60.0), np.arange(60.0) + error, resamples=1000)["mae"][0])
        hits += low <= np.sqrt(2 / np.pi) <= high
    assert 0.90 <= hits / 300 <= 0.98
