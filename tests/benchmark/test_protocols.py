"""Protocols: what is learnt from is never predicted on the split that ranks, and the holdout is never learnt from."""

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
