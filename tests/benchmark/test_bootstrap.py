import numpy as np
import pytest
from ecdbench.benchmark.bootstrap import RESAMPLES, intervals
from ecdbench.benchmark.metrics import METRICS, Metric, Sample, metrics_for
from scipy import stats


def make(target, prediction, clusters=None):
    rows = np.atleast_2d(prediction)
    return Sample(target, rows, np.zeros_like(rows), np.arange(len(target)) if clusters is None else clusters)


def found(target, prediction, clusters=None, resamples=RESAMPLES, seed=0):
    return intervals(make(target, prediction, clusters), metrics_for("regression"), resamples, seed)


@pytest.fixture
def sample():
    generator = np.random.default_rng(5)
    target = generator.normal(100, 15, 120)
    return target, target + generator.normal(0, 6, 120)


def studentised(distance, influence, target, prediction, resamples=3000):
    """A bootstrap-t interval of a log distance, from its definition, one resample after another."""
    random, n = np.random.default_rng(1), len(target)

    def of(rows):
        y, p = target[rows], prediction[rows]
        return distance(y, p), np.sqrt((influence(y, p) ** 2).sum()) / n

    own, error = of(np.arange(n))
    drawn = (of(random.integers(0, n, n)) for _ in range(resamples))
    low, high = np.quantile([(value - own) / own_error for value, own_error in drawn], [0.025, 0.975])
    return np.exp(own - high * error), np.exp(own - low * error)


@pytest.mark.parametrize("n", [30, 120])
def test_intervals_are_the_bootstrap_t_of_the_textbook(sample, n):
    target, prediction = (part[:n] for part in sample)

    def mse(y, p):
        return ((y - p) ** 2).mean()

    def spread(y, p):
        return (y - p) ** 2 / mse(y, p) - 1

    expected = {
        "rmse": studentised(lambda y, p: np.log(mse(y, p)) / 2, lambda y, p: spread(y, p) / 2, target, prediction),
        "mae": studentised(
            lambda y, p: np.log(np.abs(y - p).mean()),
            lambda y, p: np.abs(y - p) / np.abs(y - p).mean() - 1,
            target,
            prediction,
        ),
        "r2": studentised(
            lambda y, p: np.log(mse(y, p) / y.var()),
            lambda y, p: spread(y, p) - ((y - y.mean()) ** 2 / y.var() - 1),
            target,
            prediction,
        ),
    }
    expected["r2"] = tuple(1 - end for end in reversed(expected["r2"]))
    for name, (low, high) in expected.items():
        assert found(target, prediction)[name] == pytest.approx((low, high), abs=0.08 * (high - low)), name


def test_other_metrics_have_the_percentiles_of_scipy(sample):
    """A metric that is no function of a mean loss."""
    median = Metric("median", "median", lambda s: np.median(np.abs(s.prediction - s.target), axis=1))
    low, high = intervals(make(*sample), {"median": median}, 2000)["median"]
    expected = stats.bootstrap(
        sample,
        lambda y, p, axis=-1: np.median(np.abs(y - p), axis=axis),
        paired=True,
        vectorized=True,
        method="percentile",
        rng=1,
    ).confidence_interval
    width = expected.high - expected.low
    assert (low, high) == pytest.approx((expected.low, expected.high), abs=0.1 * width)


def test_the_seed_decides(sample):
    same = [found(*sample, resamples=500, seed=3) for _ in range(2)]
    assert same[0] == same[1] != found(*sample, resamples=500, seed=4)


def test_many_samples_in_chunks():
    generator = np.random.default_rng(0)
    target = generator.normal(size=3000)
    low, high = found(target, target * 0, resamples=800)["rmse"]
    assert high - low == pytest.approx(2 * 1.96 / np.sqrt(2 * 3000), rel=0.15)


def test_copies_of_a_sample_add_no_certainty_when_clustered(sample):
    target, prediction = (np.repeat(part, 4) for part in sample)
    clusters = np.repeat(np.arange(120), 4)
    width = {}
    for name, arguments in {
        "single": sample,
        "copies": (target, prediction),
        "clustered": (target, prediction, clusters),
    }.items():
        low, high = found(*arguments)["rmse"]
        width[name] = high - low
    assert width["clustered"] == pytest.approx(width["single"], rel=0.05)
    assert width["copies"] == pytest.approx(width["single"] / 2, rel=0.1)


def test_clusters_of_several_sizes_weigh_what_they_hold(sample):
    """Against percentiles of the same resamples, which do not go through sums of clusters."""
    target, prediction = sample
    clusters = np.minimum(np.arange(120) // 2, 40)
    plain = Metric("rmse", "RMSE", lambda s: np.sqrt(((s.prediction - s.target) ** 2).mean(axis=1)))
    percentile = intervals(make(*sample, clusters), {"rmse": plain}, 1000)["rmse"]
    low, high = found(target, prediction, clusters, 1000)["rmse"]
    width = percentile[1] - percentile[0]
    assert (low, high) == pytest.approx(percentile, abs=0.25 * width)


def test_cluster_labels_and_their_order_do_not_matter(sample):
    target, prediction = sample
    labels = np.array(["Fe", "Ni", "Co", "Cu", "Al"])[np.arange(120) % 5]
    shuffled = np.random.default_rng(0).permutation(120)
    one = found(target, prediction, labels, resamples=200)
    two = found(target[shuffled], prediction[shuffled], labels[shuffled], resamples=200)
    assert one["rmse"] == pytest.approx(two["rmse"])


def test_no_interval_where_a_metric_is_mostly_undefined_or_nothing_varies(sample):
    target = np.array([0.0] * 30 + [1.0])
    assert found(target, np.zeros(31))["r2"] is None
    assert found(*sample, np.zeros(120))["rmse"] is None  # one cluster
    assert found(sample[0], sample[0])["rmse"] == (0, 0)
    assert found(sample[0], sample[0])["r2"] == (1, 1)


@pytest.mark.parametrize("name", ["rmse", "mae", "r2"])
def test_intervals_cover_the_truth_as_often_as_they_say(name):
    generator = np.random.default_rng(7)
    truth = {"rmse": 1.0, "mae": np.sqrt(2 / np.pi), "r2": 0.75}[name]
    hits = 0
    for _ in range(300):
        target = generator.normal(0, 2, 40)
        sample = make(target, target + generator.normal(0, 1, 40))
        low, high = intervals(sample, {name: METRICS.get(name)}, 600)[name]
        hits += low <= truth <= high
    assert 0.91 <= hits / 300 <= 0.985
