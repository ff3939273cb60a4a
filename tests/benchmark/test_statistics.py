import numpy as np
import pytest
from ecdbench.benchmark.differences import differences
from ecdbench.benchmark.metrics import METRICS
from ecdbench.benchmark.scoring import make_sample
from ecdbench.benchmark.statistics import (
    Folds,
    by_folds,
    corrected_t_p_value,
    letters,
    rank_models,
    resolve_pair,
)
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import t as student

RMSE = METRICS.get("rmse")


def scored(target, *predictions, clusters=None):
    prediction = np.array(predictions)
    clusters = np.arange(len(target)) if clusters is None else clusters
    return make_sample(target, prediction, np.zeros_like(prediction), clusters)


def models_of(*scales, n=60, seed=1):
    random = np.random.default_rng(seed)
    target = random.normal(size=n)
    noise = random.normal(size=(len(scales), n))
    return [scored(target, target + scale * one) for scale, one in zip(scales, noise, strict=True)]


@pytest.fixture
def models():
    return models_of(0.1, 0.1, 0.5, 0.5, 2)


def test_what_differs_is_told_apart_and_what_is_the_same_is_not(models):
    ranking = rank_models(models, RMSE)
    assert [(one.rank, one.low, one.high) for one in ranking.ranks] == [
        (1, 1, 2), (2, 1, 2), (3, 3, 4), (4, 3, 4), (5, 5, 5),
    ]  # fmt: skip
    assert [one.group for one in ranking.ranks] == ["a", "a", "b", "b", "c"]
    assert ranking.separated == 8 and ranking.flips == 10_000
    assert ranking.ranks[0].gap is None and ranking.ranks[0].p_first is None
    assert rank_models([models[0], models[0]], RMSE).ranks[1].p_first == 1
    assert rank_models([], RMSE).ranks == [] and rank_models(models[:1], RMSE).resolution is None


def test_gaps_are_those_of_a_single_comparison(models):
    assert rank_models(models, RMSE).ranks[2].gap == differences(models[2], models[0])["rmse"]


@pytest.mark.parametrize("metric", ["r2", "skill", "mae"])
def test_another_metric_may_rank(models, metric):
    ranks = rank_models(models, METRICS.get(metric)).ranks
    assert ranks[4].p_first < 0.01 and ranks[1].p_first > 0.05


def test_probabilities_are_compared_by_their_log_loss_and_by_any_other_metric():
    random = np.random.default_rng(0)
    target = (random.random(200) < 0.4).astype(float)
    sharp, blunt = (np.clip(s * target + (1 - s) * random.random(200), 0.01, 0.99)[None] for s in (0.7, 0.2))
    good, bad = (
        make_sample(target, p, np.full_like(p, 0.4), np.arange(200), 1.0, "classification") for p in (sharp, blunt)
    )
    for name in ("log_loss", "roc_auc", "balanced_accuracy"):
        ranks = rank_models([good, bad], METRICS.get(name)).ranks
        assert ranks[1].p_first < 0.001
        gap = differences(bad, good)[name]
        assert (gap.low > 0 or gap.high < 0) and gap.low < gap.value < gap.high


def test_seeds_are_averaged_before_models_are_compared():
    """A model whose seeds differ by luck is no better known by having many of them."""
    target, noise = np.zeros(30), np.random.default_rng(0).normal(size=(4, 30))
    many, one = scored(target, *noise), scored(target, np.sqrt((noise**2).mean(axis=0)))
    other = scored(target, np.full(30, 1.2))
    assert differences(many, other)["rmse"].p_value == differences(one, other)["rmse"].p_value


def test_a_loss_that_orders_two_models_otherwise_than_the_metric_separates_nobody():
    """The mean RMSE of seeds and their mean squared error may disagree."""
    target = np.zeros(50)
    steady, moody = scored(target, *np.full((2, 50), 1.0)), scored(target, np.full(50, 0.01), np.full(50, 1.9))
    assert differences(moody, steady)["rmse"].value < 0
    assert rank_models([moody, steady], RMSE).ranks[1].p_first == 1
    assert not differences(moody, steady)["rmse"].separates


def test_what_a_table_can_separate():
    few, many = (rank_models(models_of(1, 1.02, 1.05, n=n), RMSE).resolution for n in (50, 5000))
    assert few.difference / many.difference == pytest.approx(10, rel=0.25)
    assert few.relative == pytest.approx(few.difference, rel=0.3)  # the RMSE is about 1
    assert many.samples > 5000 / 4
    pair = models_of(1, 1.3, n=100)
    alone = resolve_pair(*pair, RMSE)
    assert 0.2 < alone.difference < 0.5
    assert alone == resolve_pair(*pair[::-1], RMSE)
    assert resolve_pair(pair[0], pair[0], RMSE).samples is None
    tiny = rank_models(models_of(1, 9, n=5), RMSE)
    assert np.isinf(tiny.resolution.difference) and tiny.separated == 0


def test_the_best_of_many_looks_better_than_it_is():
    """Of models that are equally good and independent, by the expected maximum of as many normal numbers."""
    random, n = np.random.default_rng(3), 4000
    target = np.zeros(n)
    models = [scored(target, random.normal(size=n)) for _ in range(20)]
    scale = np.sqrt(2 / n) / 2  # standard error of an RMSE of 1
    expected = scale * random.normal(size=(4000, 20)).max(axis=1).mean()
    observed_too = rank_models(models, RMSE).optimism  # their observed means differ by chance, so fewer compete
    assert 0.5 * expected < observed_too < expected
    far = [scored(target, s * random.normal(size=n)) for s in (0.1, 5, 9)]
    assert abs(rank_models(far, RMSE).optimism) < 0.1 * scale
    few = models_of(1, n=20)[0]
    assert rank_models([few, few, few], RMSE).optimism == pytest.approx(0, abs=1e-9)  # there is nothing to choose
    assert rank_models(models[:1], RMSE).optimism is None


def test_corrected_t_is_nadeau_and_bengio():
    by_fold = np.random.default_rng(0).normal(size=(2, 10))
    gap = by_fold[0] - by_fold[1]
    statistic = gap.mean() / np.sqrt(gap.var(ddof=1) * (1 / 10 + 1 / 8))
    assert corrected_t_p_value(by_fold, ratio=1 / 8) == pytest.approx(2 * student.sf(abs(statistic), 9))
    assert corrected_t_p_value(by_fold[[0, 0]], ratio=1 / 8) == 1


def test_a_metric_by_folds(models):
    folds = Folds(np.arange(60) % 10, 1 / 8)
    expected = [float(RMSE.values(models[2].take(np.arange(60) % 10 == number))[0]) for number in range(10)]
    assert by_folds(models[2], RMSE, folds) == pytest.approx(expected)


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
