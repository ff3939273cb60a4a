import numpy as np
import pytest
from ecdbench.benchmark.metrics import METRICS, Sample, metrics_for
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import mean_absolute_error, r2_score, root_mean_squared_error


def metrics(target, prediction):
    """RMSE, R2 and MAE of predictions of shape (n,) or (m, n)."""
    rows = np.atleast_2d(prediction)
    sample = Sample(np.asarray(target, float), rows, np.zeros_like(rows), np.arange(len(target)))
    found = {name: METRICS.get(name).values(sample) for name in ("rmse", "r2", "mae")}
    return found if np.ndim(prediction) == 2 else {name: value[0] for name, value in found.items()}


values = st.floats(-1e4, 1e4, allow_nan=False, width=32)


@given(
    st.integers(2, 40).flatmap(
        lambda n: st.tuples(arrays(float, n, elements=values), arrays(float, n, elements=values))
    )
)
def test_agrees_with_scikit_learn(pair):
    target, prediction = pair
    found = metrics(target, prediction)
    assert found["rmse"] == pytest.approx(root_mean_squared_error(target, prediction), abs=1e-9)
    assert found["mae"] == pytest.approx(mean_absolute_error(target, prediction), abs=1e-9)
    if np.ptp(target) > 1e-2:
        assert found["r2"] == pytest.approx(r2_score(target, prediction), rel=1e-6, abs=1e-6)


@given(arrays(float, 12, elements=values), st.floats(-1e6, 1e6))
def test_r2_does_not_depend_on_the_origin(prediction, shift):
    target = np.linspace(-50, 50, 12)
    assert metrics(target + shift, prediction + shift)["r2"] == pytest.approx(
        metrics(target, prediction)["r2"], rel=1e-6
    )


@pytest.mark.parametrize("constant", [0.0, 3.7, -1e5])
def test_r2_of_a_constant_target_is_undefined(constant):
    found = metrics(np.full(5, constant), np.arange(5.0))
    assert np.isnan(found["r2"])
    assert np.isfinite(found["rmse"])


def test_rows_of_predictions_are_scored_one_by_one():
    target = np.array([1.0, 2.0, 4.0])
    rows = np.array([[1.0, 2.0, 4.0], [0.0, 0.0, 0.0]])
    found = metrics(target, rows)
    assert found["rmse"][0] == 0
    assert found["mae"][1] == pytest.approx(7 / 3)


def test_every_metric_counts_rows_as_often_as_a_resample_has_them():
    """The fast route over counts gives what the plain metric gives on the resampled rows."""
    generator = np.random.default_rng(3)
    index = generator.integers(0, 30, (20, 30))
    counts = np.stack([np.bincount(one, minlength=30) for one in index]).astype(float)
    for kind in ("regression", "classification"):
        target = generator.normal(size=30) if kind == "regression" else generator.integers(0, 2, 30).astype(float)
        prediction = np.round(generator.uniform(size=(2, 30)), 1)  # with ties
        sample = Sample(target, prediction, np.full((2, 30), 0.4), np.arange(30), 2.0, kind=kind)
        for metric in metrics_for(kind).values():
            expected = np.stack([metric.values(sample.take(one)) for one in index], axis=1)
            assert metric.on_resamples(sample, counts) == pytest.approx(expected, nan_ok=True), metric.name
