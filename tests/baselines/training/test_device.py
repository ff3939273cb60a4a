import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra torch")

from ecdbench.baselines.training.device import BatchSplitter, set_up_device  # noqa: E402
from ecdbench.benchmark.errors import EcdbenchError  # noqa: E402


def test_a_device_that_is_not_there():
    with pytest.raises(EcdbenchError, match="use --device cpu"):
        set_up_device("warp")


def test_other_errors_are_not_hidden():
    def fail(rows):
        raise RuntimeError("shapes differ")

    with pytest.raises(RuntimeError, match="shapes differ"):
        BatchSplitter([]).run(np.arange(4), fail)


def test_memory_that_the_processor_cannot_give():
    """A real failure of the allocator, far beyond any machine."""

    def ask(rows):
        return torch.empty(1 << 60, dtype=torch.uint8).numel() if len(rows) > 2 else len(rows)

    notes = []
    assert BatchSplitter(notes).run(np.arange(8), ask) == [2, 2, 2, 2]
    assert len(notes) == 2
