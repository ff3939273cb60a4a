import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra torch")

from ecdbench.baselines.training import loop  # noqa: E402
from ecdbench.baselines.training.memory import Halving  # noqa: E402
from ecdbench.baselines.training.sources import TensorSource  # noqa: E402
from ecdbench.benchmark.errors import EcdbenchError  # noqa: E402


class Cramped(torch.nn.Linear):
    """A network for whose batches there is memory up to a size."""

    def __init__(self, most):
        super().__init__(3, 1)
        self.most = most

    def forward(self, inputs):
        if len(inputs) > self.most:
            raise torch.OutOfMemoryError("out of memory")
        return super().forward(inputs)


def trained(most):
    torch.manual_seed(0)
    inputs, targets = torch.randn(24, 3), torch.randn(24, 1)
    network, notes = Cramped(most), []
    settings = loop.LoopSettings(8, 0.01, 5, 6)
    torch.manual_seed(1)
    history = loop.train(
        network,
        TensorSource((inputs,)),
        targets,
        TensorSource((inputs[:5],)),
        targets[:5],
        settings,
        loop.Report(lambda done, total, message: None, notes),
    )
    return network, history, notes


def test_training_in_pieces_is_the_same_training():
    network, history, notes = trained(99)
    other, pieces, said = trained(3)
    assert torch.allclose(network.weight, other.weight, atol=1e-6)
    assert pieces.train == pytest.approx(history.train, rel=1e-5)
    assert notes == [] and [note.partition(";")[0] for note in said] == [
        "Memory ran out with 8 rows at once",
        "Memory ran out with 4 rows at once",
    ]


def test_one_row_that_does_not_fit():
    with pytest.raises(EcdbenchError, match="not enough memory for a single row"):
        trained(0)


def test_other_errors_are_not_hidden():
    def fail(rows):
        raise RuntimeError("shapes differ")

    with pytest.raises(RuntimeError, match="shapes differ"):
        Halving([]).run(np.arange(4), fail)


def test_memory_that_the_processor_cannot_give():
    """A real failure of the allocator, far beyond any machine."""

    def ask(rows):
        return torch.empty(1 << 60, dtype=torch.uint8).numel() if len(rows) > 2 else len(rows)

    notes = []
    assert Halving(notes).run(np.arange(8), ask) == [2, 2, 2, 2]
    assert len(notes) == 2
