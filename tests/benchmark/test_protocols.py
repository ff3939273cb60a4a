"""Protocols: what is learnt from is never predicted on the split that ranks, and the holdout is never learnt from."""

import math
from itertools import combinations, pairwise

import pytest
from ecdbench.benchmark.errors import DataError
from ecdbench.benchmark.protocols import PROTOCOLS, Fit, FitKey, Protocol, learning_ids
from ecdbench.tasks.catalogue import load_task


@pytest.fixture(scope="module")
def data():
    return load_task("ecd-fcc/k_vrh")


def made(fits, **attributes):
    """A protocol with these fits."""

    class Made(Protocol):
        name, main_split = "made", "holdout"

        def fits(self, data):
            return fits

    for name, value in attributes.items():
        setattr(Made, name, value)
    return Made()


def test_the_fixed_split(data):
    (fit,) = PROTOCOLS.get("fixed").plan(data)
    assert (fit.train, fit.validation, fit.predicted) == (
        data.splits["train"],
        data.splits["validation"],
        dict(data.splits),
    )
    assert fit.key(3) == FitKey(3, 0, 1.0)


def test_cross_validation_predicts_each_row_once_and_never_the_holdout(data):
    fits = PROTOCOLS.get("cv").plan(data)
    pool = {*data.splits["train"], *data.splits["validation"]}
    predicted = [sample_id for fit in fits for sample_id in fit.predicted["cv"]]
    assert len(fits) == 10 and sorted(predicted) == sorted(pool)
    for fit in fits:
        assert {*fit.train, *fit.validation, *fit.predicted["cv"]} == pool
        assert len(fit.train) + len(fit.validation) + len(fit.predicted["cv"]) == len(pool)
    assert set(learning_ids(fits)) == pool


def test_repetitions_deal_the_same_rows_to_other_folds(data):
    fits = PROTOCOLS.get("cv,repeats=3").plan(data)
    assert len({fit.key(0) for fit in fits}) == 30
    dealt = [
        {sample_id: fit.fold for fit in fits if fit.repeat == repeat for sample_id in fit.predicted["cv"]}
        for repeat in range(3)
    ]
    assert [fit.predicted for fit in fits[:10]] == [fit.predicted for fit in PROTOCOLS.get("cv").plan(data)]
    assert set(dealt[0]) == set(dealt[1]) == set(dealt[2])
    assert all(sum(one[m] == two[m] for m in one) < 0.2 * len(one) for one, two in combinations(dealt, 2))


def test_repetitions_keep_groups_whole_where_the_folds_do():
    grouped = load_task("ecd-fcc/k_vrh", split="grouped")
    for fit in PROTOCOLS.get("cv,repeats=2").plan(grouped):
        inside = {grouped.groups[m] for m in fit.predicted["cv"]}
        assert not inside & {grouped.groups[m] for m in (*fit.train, *fit.validation)}


def test_a_learning_curve_learns_from_nested_parts_and_ranks_by_all(data):
    fits = PROTOCOLS.get("learning-curve").plan(data)
    count = len(data.splits["train"])
    assert [len(fit.train) for fit in fits] == [math.ceil(size * count) for size in (0.125, 0.25, 0.5, 1)]
    assert all(set(less.train) < set(more.train) for less, more in pairwise(fits))
    assert {tuple(fit.predicted["holdout"]) for fit in fits} == {tuple(data.splits["holdout"])}


@pytest.mark.parametrize(
    ("spec", "sentence"),
    [
        ("cv,repeats=0", r"repeats must be an integer from 1 to 100 \(got '0'\)"),
        ("cv,repeats=many", "repeats must be an integer"),
        ("cv,repeats", "must be NAME=VALUE, as in cv,repeats=3"),
        ("cv,repeats=2,repeats=3", "The option 'repeats=3' of the protocol cv is there twice"),
        ("cv,repeat=2", "There is no option of the protocol cv 'repeat'. Did you mean repeats"),
        ("fixed,repeats=2", "It has none"),
        ("leave-cluster-out,by=colour", "by must be one of element, spacegroup"),
        ("cvv,repeats=2", "There is no protocol 'cvv'"),
    ],
)
def test_options_that_there_are_not(spec, sentence):
    assert spec not in PROTOCOLS
    with pytest.raises(DataError, match=sentence):
        PROTOCOLS.get(spec)


def test_a_spec_names_what_was_chosen():
    assert PROTOCOLS.get("cv,repeats=3").spec == "cv,repeats=3" and "cv,repeats=3" in PROTOCOLS
    assert PROTOCOLS.get("cv,repeats=1").spec == "cv" and "cv,repeats=1" not in PROTOCOLS
    assert PROTOCOLS.get("cv").spec == "cv"


def test_protocols_that_would_flatter_are_refused(data):
    train, validation, holdout = (list(data.splits[name]) for name in ("train", "validation", "holdout"))
    fine = Fit(0, train, validation, {"holdout": holdout})
    assert made([fine]).plan(data) == [fine]
    for fits, attributes, sentence in [
        ([], {}, "too few rows"),
        ([Fit(0, train, [], {"holdout": holdout})], {}, "too few rows"),
        ([Fit(0, train, validation, {"holdout": []})], {}, r"too few rows .* in holdout\); it needs more"),
        ([Fit(0, [*train, holdout[0]], validation, {"holdout": holdout[1:]})], {}, "a row of the holdout"),
        ([Fit(0, train, holdout, {"holdout": validation})], {}, "a row of the holdout"),
        ([Fit(0, train, validation, {"own": train[:5]})], {"main_split": "own"}, "predicts it in the same fit"),
        ([Fit(0, train, validation, {"train": train})], {}, "which no fit on all of its training rows predicts"),
        ([fine], {"main_split": ""}, "ranks by no split"),
        ([fine, fine], {}, "two fits of the same fold"),
        ([fine, Fit(1, train, validation, {"holdout": holdout})], {}, "predicts a row twice"),
        ([Fit(0, train, validation, {"holdout": [*holdout, holdout[0]]})], {}, "predicts a row twice"),
        ([Fit(0, train, validation, {"holdout": [*holdout, "x"]})], {}, "uses x, which ecd-fcc/k_vrh does not have"),
    ]:
        with pytest.raises(DataError, match=sentence):
            made(fits, **attributes).plan(data)
