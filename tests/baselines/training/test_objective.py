import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra torch")

from ecdbench.baselines.training.objective import SFE_STD, CrossEntropy, SquaredError, choose_objective  # noqa: E402
from hypothesis import given  # noqa: E402
from hypothesis import strategies as st  # noqa: E402
from hypothesis.extra.numpy import arrays  # noqa: E402


@given(arrays(float, st.integers(1, 30), elements=st.floats(-1e6, 1e6)))
def test_there_and_back(targets):
    objective = SquaredError.rescaled(targets)
    restored = objective.decode(objective.encode(targets, "cpu"))
    assert restored == pytest.approx(targets, abs=1e-4 * (1 + np.ptp(targets)))


@given(st.floats(1e-3, 1e3), st.floats(-100, 100))
def test_every_target_is_learnt_on_one_scale(factor, shift):
    targets = np.random.default_rng(0).normal(size=50) * factor + shift
    scaled = SquaredError.rescaled(targets).encode(targets, "cpu").numpy()
    assert scaled.mean() == pytest.approx(0, abs=1e-3)
    assert scaled.std() == pytest.approx(SFE_STD, rel=1e-3)


def test_sfe_has_this_spread(sfe_dir):
    from ecdbench.tasks.catalogue import load_task

    data = load_task("sfe", split="authors", data_dir=sfe_dir)
    assert data.targets(data.splits["train"]).std() == pytest.approx(SFE_STD, rel=0.02)


def test_curves_of_a_regression_are_rmse_in_task_units():
    targets = np.random.default_rng(0).normal(size=50) * 3
    objective = SquaredError.rescaled(targets)
    outputs = objective.encode(targets + 1.5, "cpu")
    loss = float(objective.loss(outputs, objective.encode(targets, "cpu")).mean())
    assert objective.errors([loss]) == pytest.approx([1.5], rel=1e-5)
    assert np.isnan(objective.errors([float("nan")])[0])


def test_classification_learns_probabilities():
    objective, targets = CrossEntropy(), np.array([0.0, 1.0, 1.0])
    encoded = objective.encode(targets, "cpu")
    assert encoded[:, 0].tolist() == targets.tolist()
    logits = torch.tensor([[0.0], [2.0], [-200.0]])
    assert objective.decode(logits) == pytest.approx([0.5, 1 / (1 + np.exp(-2)), 0])
    assert objective.loss(logits, encoded)[:, 0].tolist() == pytest.approx([np.log(2), np.log1p(np.exp(-2)), 200])
    assert objective.errors([0.3]) == [0.3]


def test_the_kind_of_target_chooses_the_objective(classification):
    context, targets = classification.context(), np.array([0.0, 1.0, 1.0])
    assert choose_objective(context, targets, rescale=True) == CrossEntropy()
    object.__setattr__(context, "kind", "regression")
    assert choose_objective(context, targets, rescale=True) == SquaredError.rescaled(targets)
    assert choose_objective(context, targets, rescale=False) == SquaredError(0.0, 1.0)
