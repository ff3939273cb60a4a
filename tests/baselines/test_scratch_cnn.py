import numpy as np
import pytest
from ecdbench import evaluate, load_task
from ecdbench.baselines.scratch_cnn import ScratchCNN, table1_network
from ecdbench.benchmark.errors import ModelError

torch = pytest.importorskip("torch", reason="needs the extra torch")


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
    (curve,) = run.curves().curves
    assert len(curve.train) == len(curve.validation) == 2
    kept = curve.validation[curve.best_epoch]
    assert kept == pytest.approx(run.result.scores["validation"]["rmse"].value, rel=1e-3)


def test_classification(classification):
    model = ScratchCNN(max_epochs=8, width=40)
    model.fit(classification.train, classification.validation, classification.context())
    probabilities = model.predict(classification.train)
    assert ((probabilities > 0) & (probabilities < 1)).all()
    assert np.mean((probabilities > 0.5) == classification.targets) > 0.6
    (curve,) = model.curves()
    assert curve.validation[curve.best_epoch] == min(curve.validation) < np.log(2)  # cross-entropy of a coin toss


def test_bad_parameters():
    with pytest.raises(ModelError, match="Did you mean bfloat16"):
        evaluate("scratch-cnn", "ecd-fcc/k_vrh", parameters={"precision": "bfloat"})
    with pytest.raises(ModelError, match="Did you mean batch_size"):
        evaluate("scratch-cnn", "ecd-fcc/k_vrh", parameters={"batchsize": 4})
