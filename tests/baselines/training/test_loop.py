import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra torch")

from ecdbench.baselines.scratch_cnn import table1_network  # noqa: E402
from ecdbench.baselines.training import loop  # noqa: E402
from ecdbench.baselines.training.device import BatchSplitter  # noqa: E402
from ecdbench.baselines.training.objective import CrossEntropy, SquaredError  # noqa: E402
from ecdbench.baselines.training.sources import LabelledSource, TensorSource, image_tensor  # noqa: E402
from ecdbench.benchmark.errors import EcdbenchError, ModelError  # noqa: E402


@pytest.fixture
def toy():
    """Synthetic: grey images whose brightness is the target."""
    generator = np.random.default_rng(0)
    level = generator.uniform(0, 1, 48).astype(np.float32)
    images = np.repeat(level, 40 * 40 * 3).reshape(48, 40, 40, 3) + generator.normal(0, 0.05, (48, 40, 40, 3))
    tensor = image_tensor(images.astype(np.float32), "cpu")
    targets = torch.from_numpy(100 * level)[:, None]
    rows = slice(32), slice(32, None)
    return tuple(LabelledSource(TensorSource((tensor[part],)), targets[part]) for part in rows)


@pytest.fixture
def report():
    return loop.Report(lambda done, total, message: None, [])


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_training_learns(toy, precision, report):
    torch.manual_seed(0)
    network = table1_network(40, 40)
    history = loop.train(network, *toy, SquaredError(), loop.LoopSettings(8, 7e-4, 30, 40, precision), report)
    assert min(history.validation) < 0.1 * float(toy[1].targets.var())


def test_early_stopping_restores_the_best_weights(toy, report):
    torch.manual_seed(0)
    settings = loop.LoopSettings(8, 5e-3, 4, 200)
    network = table1_network(40, 40)
    history = loop.train(network, *toy, SquaredError(), settings, report)
    assert len(history.validation) == history.best_epoch + 1 + settings.patience < 200
    outputs = loop.predict(network, toy[1].inputs, settings, BatchSplitter([]))
    loss = float((outputs - toy[1].targets).square().mean())
    assert loss == pytest.approx(history.validation[history.best_epoch], rel=1e-5) == min(history.validation)


def test_a_loss_that_is_not_finite_stops_training(toy, report):
    network = table1_network(40, 40)
    with pytest.raises(ModelError, match="lower the learning rate"):
        undefined = [LabelledSource(part.inputs, part.targets * float("nan")) for part in toy]
        loop.train(network, *undefined, SquaredError(), loop.LoopSettings(8, 1, 3, 9), report)


def test_classification_learns_and_stops_by_cross_entropy(toy, report):
    torch.manual_seed(0)
    parts = [LabelledSource(part.inputs, (part.targets > 50).float()) for part in toy]
    network, settings = table1_network(40, 40), loop.LoopSettings(8, 7e-4, 15, 60)
    history = loop.train(network, *parts, CrossEntropy(), settings, report)
    assert len(history.validation) <= history.best_epoch + 1 + settings.patience
    outputs = loop.predict(network, parts[1].inputs, settings, BatchSplitter([]))
    probabilities = CrossEntropy().decode(outputs)
    targets = parts[1].targets[:, 0].numpy()
    loss = -np.mean(targets * np.log(probabilities) + (1 - targets) * np.log(1 - probabilities))
    assert loss == pytest.approx(min(history.validation), rel=1e-4)
    assert loss < 0.4 < np.log(2)
    assert history.curve("training", CrossEntropy()).validation == history.validation


class Cramped(torch.nn.Linear):
    """A network that runs out of memory beyond a batch size."""

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
        LabelledSource(TensorSource((inputs,)), targets),
        LabelledSource(TensorSource((inputs[:5],)), targets[:5]),
        SquaredError(),
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
        "Out of memory with 8 rows at once",
        "Out of memory with 4 rows at once",
    ]


def test_one_row_that_does_not_fit():
    with pytest.raises(EcdbenchError, match="not enough memory for a single row"):
        trained(0)
