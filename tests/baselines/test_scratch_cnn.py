import json

import numpy as np
import pytest
from ecdbench import evaluate, load_task
from ecdbench.benchmark.errors import EcdbenchError, ModelError

torch = pytest.importorskip("torch", reason="needs the extra torch")

from ecdbench.baselines.training import loop  # noqa: E402
from ecdbench.baselines.training.memory import Halving  # noqa: E402
from ecdbench.baselines.training.sources import TensorSource  # noqa: E402
from ecdbench.baselines.training.table1 import table1_network  # noqa: E402


def parameters(network):
    return sum(p.numel() for p in network.parameters())


def test_table_1_has_its_parameters():
    assert parameters(table1_network(73, 196)) == 1_746_433


def test_the_flatten_adapts_to_the_image():
    network = table1_network(75, 75)
    assert network(torch.zeros(2, 3, 75, 75)).shape == (2, 1)
    assert parameters(network) != 1_746_433


def test_weights_start_as_in_keras():
    first = table1_network(73, 196)[0]
    limit = (6 / (2 * 2 * (3 + 32))) ** 0.5
    assert first.weight.abs().max() <= limit
    assert first.weight.abs().max() > 0.95 * limit
    assert (first.bias == 0).all()


@pytest.fixture
def toy():
    """Synthetic: grey images whose brightness is the target."""
    generator = np.random.default_rng(0)
    level = generator.uniform(0, 1, 48).astype(np.float32)
    images = np.repeat(level, 40 * 40 * 3).reshape(48, 40, 40, 3) + generator.normal(0, 0.05, (48, 40, 40, 3))
    tensor = loop.to_tensor(images.astype(np.float32), "cpu")
    targets = torch.from_numpy(100 * level)[:, None]
    return TensorSource((tensor[:32],)), targets[:32], TensorSource((tensor[32:],)), targets[32:]


@pytest.fixture
def report():
    return loop.Report(lambda done, total, message: None, [])


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_training_learns(toy, precision, report):
    torch.manual_seed(0)
    network = loop.prepare(table1_network(40, 40), "cpu")
    history = loop.train(network, *toy, loop.LoopSettings(8, 7e-4, 30, 40, precision), report)
    assert min(history.validation) < 0.1 * float(toy[3].var())


def test_early_stopping_restores_the_best_weights(toy, report):
    torch.manual_seed(0)
    settings = loop.LoopSettings(8, 5e-3, 4, 200)
    network = loop.prepare(table1_network(40, 40), "cpu")
    history = loop.train(network, *toy, settings, report)
    assert len(history.validation) == history.best_epoch + 1 + settings.patience < 200
    loss = float((loop.predict(network, toy[2], settings, Halving([])) - toy[3]).square().mean())
    assert loss == pytest.approx(history.validation[history.best_epoch], rel=1e-5) == min(history.validation)


def test_a_loss_that_is_not_finite_stops_training(toy, report):
    network = loop.prepare(table1_network(40, 40), "cpu")
    with pytest.raises(ModelError, match="lower the learning rate"):
        nothing = [part * float("nan") if isinstance(part, torch.Tensor) else part for part in toy]
        loop.train(network, *nothing, loop.LoopSettings(8, 1, 3, 9), report)


def test_a_device_that_is_not_there():
    with pytest.raises(EcdbenchError, match="use --device cpu"):
        loop.prepare(table1_network(40, 40), "warp")


def test_the_baseline_end_to_end():
    data = load_task("ecd-fcc/k_vrh")
    options = {"max_epochs": 2, "width": 40}
    run = evaluate("scratch-cnn", data, parameters=options)
    again = evaluate("scratch-cnn", data, parameters=options, fresh=True)
    assert run.predictions()["prediction"].to_numpy() == pytest.approx(
        again.predictions()["prediction"].to_numpy(), rel=1e-4
    )
    info = run.result.model.info
    assert info["epochs"] == 2 and info["parameters"] == parameters(table1_network(40, 40))
    history = json.loads((run.folder / "artifacts" / "seed-0_fold-0" / "history.json").read_text())
    assert len(history["train"]) == len(history["validation"]) == 2


def test_bad_parameters():
    with pytest.raises(ModelError, match="Did you mean bfloat16"):
        evaluate("scratch-cnn", "ecd-fcc/k_vrh", parameters={"precision": "bfloat"})
    with pytest.raises(ModelError, match="Did you mean batch_size"):
        evaluate("scratch-cnn", "ecd-fcc/k_vrh", parameters={"batchsize": 4})
