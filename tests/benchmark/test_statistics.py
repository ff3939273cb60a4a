import numpy as np
import pytest
from ecdbench.benchmark.metrics import METRICS
from ecdbench.benchmark.scoring import differences, make_sample, mean_draws, mean_value
from ecdbench.benchmark.statistics import (
    Folds,
    bootstrap_p_values,
    by_folds,
    corrected_t_p_values,
    holm,
    letters,
    rank_models,
)
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import t as student


def scored(target, *predictions, clusters=None):
    prediction = np.array(predictions)
    clusters = np.arange(len(target)) if clusters is None else clusters
    return make_sample(target, prediction, np.zeros_like(prediction), clusters)


def p_values_of(samples, resamples=10_000):
    rmse = METRICS.get("rmse")
    draws = np.array([mean_draws(rmse, sample, resamples) for sample in samples])
    return bootstrap_p_values([mean_value(rmse, sample) for sample in samples], draws)


@pytest.fixture
def models():
    random = np.random.default_rng(1)
    target = random.normal(size=60)
    noise = random.normal(size=(5, 60))
    return [scored(target, target + scale * one) for scale, one in zip((0.1, 0.1, 0.5, 0.5, 2), noise, strict=True)]


def test_holm_is_the_textbook_correction():
    raw = np.ones((4, 4))
    pairs = {(0, 1): 0.005, (0, 2): 0.01, (0, 3): 0.03, (1, 2): 0.04, (1, 3): 0.2, (2, 3): 0.6}
    for (i, j), p in pairs.items():
        raw[i, j] = raw[j, i] = p
    found = holm(raw)
    assert found[0, 1] == pytest.approx(0.03) and found[0, 2] == pytest.approx(0.05)
    assert found[0, 3] == pytest.approx(0.12) and found[1, 2] == pytest.approx(0.12)
    assert found[1, 3] == pytest.approx(0.4) and found[2, 3] == pytest.approx(0.6)
    assert np.array_equal(found, found.T) and np.all(np.diag(found) == 1)


def test_what_differs_is_told_apart_and_what_is_the_same_is_not(models):
    p_values = p_values_of(models)
    assert p_values[0, 4] < 1e-6 and p_values[0, 2] < 1e-6
    assert p_values[0, 1] > 0.05 and p_values[2, 3] > 0.05
    twins = [models[0], models[0]]
    assert p_values_of(twins)[0, 1] == 1


def test_gaps_are_those_of_a_single_comparison(models):
    ranks = rank_models(models, METRICS.get("rmse"))
    alone = differences(models[2], models[0])["rmse"]
    assert (ranks[2].gap.value, ranks[2].gap.low, ranks[2].gap.high) == pytest.approx(
        (alone.value, alone.low, alone.high)
    )
    assert ranks[0].gap is None and ranks[0].p_first is None
    assert [rank.rank for rank in ranks] == [1, 2, 3, 4, 5] and ranks[4].low == 5


def test_a_metric_where_higher_is_better_ranks_as_well(models):
    ranks = rank_models(models, METRICS.get("r2"))
    assert ranks[4].p_first < 0.01 and ranks[4].gap.high < 0


@pytest.mark.parametrize("tests", [(), ("bootsrap",), ("corrected_t",), ("bootstrap", "bootsrap")])
def test_a_test_that_cannot_be_made_separates_nobody(models, tests):
    with pytest.raises(ValueError, match="tests must be some of bootstrap, corrected_t"):
        rank_models(models, METRICS.get("rmse"), tests)


def test_a_protocol_may_ask_for_two_tests(models):
    rmse, folds = METRICS.get("rmse"), Folds(np.arange(60) % 10, 1 / 8)
    both = rank_models(models, rmse, ("bootstrap", "corrected_t"), folds)
    alone = rank_models(models, rmse, ("bootstrap",))
    assert all(two.p_first >= one.p_first for one, two in zip(alone[1:], both[1:], strict=True))
    parts = [models[2].take(np.arange(60) % 10 == number) for number in range(10)]
    expected = [float(rmse.values(part)[0]) for part in parts]
    assert by_folds(models[2], rmse, folds) == pytest.approx(expected)


def test_corrected_t_is_nadeau_and_bengio():
    random = np.random.default_rng(0)
    by_fold = random.normal(size=(3, 10))
    found = corrected_t_p_values(by_fold, ratio=1 / 8)
    gap = by_fold[0] - by_fold[1]
    statistic = gap.mean() / np.sqrt(gap.var(ddof=1) * (1 / 10 + 1 / 8))
    assert found[0, 1] == pytest.approx(2 * student.sf(abs(statistic), 9))


def test_equal_models_are_rarely_told_apart():
    random = np.random.default_rng(7)
    wrong = 0
    for _ in range(60):
        target = random.normal(size=40)
        five = [scored(target, target + random.normal(size=40)) for _ in range(5)]
        wrong += bool((holm(p_values_of(five, 400)) < 0.05).any())
    assert wrong <= 8  # 3 expected; a bootstrap of 40 samples is a little narrow


@given(st.integers(1, 12).flatmap(lambda n: st.lists(st.booleans(), min_size=n * n, max_size=n * n)))
def test_letters_never_join_what_is_apart(flags):
    n = round(len(flags) ** 0.5)
    apart = np.triu(np.array(flags).reshape(n, n), 1)
    apart |= apart.T
    groups = letters(apart)
    assert all(groups) and groups[0].startswith("a")
    for i in range(n):
        for j in range(i):
            if set(groups[i]) & set(groups[j]) - set("()0123456789"):
                assert not apart[i, j]
        if i and not apart[i, i - 1]:
            assert set(groups[i]) & set(groups[i - 1])
