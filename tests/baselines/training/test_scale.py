import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra torch")

from ecdbench.baselines.training.scale import SFE_SPREAD, TargetScale  # noqa: E402
from hypothesis import given  # noqa: E402
from hypothesis import strategies as st  # noqa: E402
from hypothesis.extra.numpy import arrays  # noqa: E402


@given(arrays(float, st.integers(1, 30), elements=st.floats(-1e6, 1e6)))
def test_there_and_back(targets):
    scale = TargetScale.of(targets)
    restored = scale.restored(scale.scaled(targets, "cpu"))
    assert restored == pytest.approx(targets, abs=1e-4 * (1 + np.ptp(targets)))


@given(st.floats(1e-3, 1e3), st.floats(-100, 100))
def test_every_target_is_learnt_on_one_scale(factor, shift):
    targets = np.random.default_rng(0).normal(size=50) * factor + shift
    scaled = TargetScale.of(targets).scaled(targets, "cpu").numpy()
    assert scaled.mean() == pytest.approx(0, abs=1e-3)
    assert scaled.std() == pytest.approx(SFE_SPREAD, rel=1e-3)


def test_sfe_has_this_spread(sfe_dir):
    from ecdbench.tasks.load import load_task

    data = load_task("sfe", split="authors", data_dir=sfe_dir)
    assert data.targets(data.splits["train"]).std() == pytest.approx(SFE_SPREAD, rel=0.02)
