"""The sign-flip test against scipy's permutation test, against the textbook's step-down, and in simulations."""

from itertools import combinations, product

import numpy as np
import pytest
from ecdbench.benchmark import signflip
from ecdbench.benchmark.signflip import PairDifference, pair_difference, sign_flip_test
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats


def hall(gaps):
    """Student's t with Hall's transformation, from its definition."""
    n, skewness = len(gaps), stats.skew(gaps)
    t = stats.ttest_1samp(gaps, 0).statistic
    return t + skewness * t**2 / (3 * np.sqrt(n)) + skewness**2 * t**3 / (27 * n) + skewness / (6 * np.sqrt(n))


def tables(models, samples, seed, tails="normal", shared=0.5):
    """Squared errors of models that are equally good; `shared` of the variance of their errors is the same."""
    random = np.random.default_rng(seed)
    own = random.normal(size=(models, samples))
    if tails == "half":
        own[::2] = random.standard_t(4, size=own[::2].shape) / np.sqrt(2)
    return (np.sqrt(1 - shared) * own + np.sqrt(shared) * random.normal(size=samples)) ** 2


@pytest.mark.parametrize("seed", range(4))
def test_a_pair_is_the_exact_permutation_test(seed):
    losses = tables(2, 9, seed)
    expected = stats.permutation_test(
        (losses[0] - losses[1],), lambda gaps: abs(hall(gaps)), permutation_type="samples", alternative="greater"
    )
    found = sign_flip_test(losses)
    assert found.flips == 2**8
    assert found.p_values[0, 1] == pytest.approx(expected.pvalue)
    pair = pair_difference(*losses, rows=9)
    assert pair.statistic == pytest.approx(hall(losses[0] - losses[1]))
    assert pair.error == pytest.approx(stats.sem(losses[0] - losses[1]))


def test_many_pairs_are_corrected_by_stepping_down():
    losses = tables(4, 8, 3) * np.array([1, 1, 2, 9])[:, None]
    gaps = {pair: losses[pair[0]] - losses[pair[1]] for pair in combinations(range(4), 2)}
    flipped = [{pair: abs(hall(gap * signs)) for pair, gap in gaps.items()} for signs in product([1, -1], repeat=8)]
    observed, left, before = flipped[0], set(gaps), 0.0
    found = sign_flip_test(losses)
    for pair in sorted(gaps, key=observed.__getitem__, reverse=True):
        largest = np.array([max(one[other] for other in left) for one in flipped])
        before = max(before, float((largest >= observed[pair] - 1e-9).mean()))
        assert found.p_values[pair] == pytest.approx(before)
        left.remove(pair)
    assert np.array_equal(found.p_values, found.p_values.T) and (np.diag(found.p_values) == 1).all()


def test_what_differs_by_rounding_only_is_the_same():
    (losses,) = tables(1, 40, 0)
    found = sign_flip_test(np.stack([losses, losses * (1 + 1e-13), losses * 1e150]))
    assert found.p_values[0, 1] == 1
    assert found.p_values[0, 2] < 0.01
    assert pair_difference(losses, losses * (1 + 1e-13), 40).mean == 0


def test_flips_depend_on_the_seed_alone_and_are_fewer_in_large_tables(monkeypatch):
    losses = tables(3, 50, 1)
    assert np.array_equal(sign_flip_test(losses).p_values, sign_flip_test(losses).p_values)
    assert not np.array_equal(sign_flip_test(losses).p_values, sign_flip_test(losses, seed=1).p_values)
    assert sign_flip_test(tables(9, 50, 1)).critical > sign_flip_test(losses).critical
    monkeypatch.setattr(signflip, "_MOST_STATISTICS", 100_000)
    assert sign_flip_test(tables(9, 50, 1)).flips == 100_000 // 36


@pytest.mark.parametrize(("models", "clusters"), [(1, 5), (2, 1), (2, 2), (0, 3)])
def test_too_little_to_compare_separates_nobody(models, clusters):
    found = sign_flip_test(np.arange(float(models * clusters)).reshape(models, clusters))
    assert found.p_values.shape == (models, models) and (found.p_values > 0.05).all()


@pytest.mark.parametrize(("samples", "tails", "most"), [(21, "normal", 0.1), (116, "normal", 0.1), (60, "half", 0.13)])
def test_equal_models_are_told_apart_in_five_of_a_hundred_tables(samples, tails, most):
    wrong = [(sign_flip_test(tables(16, samples, s, tails), 1000).p_values < 0.05).any() for s in range(150)]
    assert np.mean(wrong) <= most  # 0.05 or, with tails of two kinds, at most 0.09, and three standard errors


def test_the_detectable_difference_is_found_in_eighty_of_a_hundred_tables():
    random = np.random.default_rng(5)
    found = 0
    for _ in range(300):
        one = random.normal(size=100) ** 2
        other = random.normal(size=100) ** 2
        test, pair = sign_flip_test(np.stack([one, other]), 1000), pair_difference(one, other, 100)
        worse = other + PairDifference(0.0, np.sqrt(4 / 100), 0.0).detectable(test.critical)
        found += sign_flip_test(np.stack([one, worse]), 1000).p_values[0, 1] < 0.05
        low, high = pair.interval(test.critical)
        if abs(abs(pair.statistic) - test.critical) > 1e-4:
            assert (low > 0 or high < 0) == (test.p_values[0, 1] < 0.05)
    assert 0.73 < found / 300 < 0.87


@given(st.floats(0, 8), st.floats(-0.5, 0.5))
def test_the_interval_is_what_the_statistic_does_not_reject(critical, skewness):
    pair = PairDifference(2.0, 0.7, skewness)
    for end in pair.interval(critical):
        shifted = PairDifference(pair.mean - end, pair.error, skewness)
        assert abs(shifted.statistic) == pytest.approx(critical, abs=1e-6)
