import copy

import pytest

torch = pytest.importorskip("torch", reason="needs the extra torch")

from ecdbench.baselines.transfer.backbone import PRESETS, Backbone  # noqa: E402
from ecdbench.baselines.transfer.layers import trace_layers  # noqa: E402
from ecdbench.baselines.transfer.networks import Fusion, Tail, linear_head  # noqa: E402
from ecdbench.baselines.transfer.weights import find_weights  # noqa: E402
from ecdbench.benchmark.errors import ModelError  # noqa: E402

# Keras 3, include_top=False: all weights, those that gradients change.
KERAS = {
    "inception-v3": (21_802_784, 21_768_352),
    "xception": (20_861_480, 20_806_952),
    "vgg16": (14_714_688, 14_714_688),
    "vgg19": (20_024_384, 20_024_384),
    "densenet121": (7_037_504, 6_953_856),
}


# By number of last layers: `for layer in model.layers[-N:]: layer.trainable = True`.
KERAS_LAST = [(50, 7_173_312), (100, 13_624_064), (150, 16_641_216), (311, 21_768_352)]


def backbone(name):
    network = PRESETS[name].network if name in PRESETS else name
    return Backbone(network, find_weights(network, "random"))


@pytest.fixture(scope="module")
def inception():
    return backbone("inception-v3")


def normalisations(network):
    return [m for m in network.modules() if isinstance(m, torch.nn.modules.batchnorm._BatchNorm)]


@pytest.mark.parametrize("name", PRESETS)
def test_presets_have_keras_parameters(name):
    """timm does not count moving averages, and its InceptionV3 has a scale per normalisation, which Keras' lacks."""
    found = backbone(name)
    channels = sum(m.num_features for m in normalisations(found.network))
    averages, scales = 2 * channels, channels if name == "inception-v3" else 0
    everything, trainable = KERAS[name]
    assert found.parameters - scales == trainable
    assert found.parameters - scales + averages == everything


def test_inception_has_keras_layers(inception):
    assert inception.order.count == 311


@pytest.mark.parametrize(("layers", "keras"), KERAS_LAST)
def test_the_last_layers_of_inception_are_those_of_keras(inception, layers, keras):
    """Trainable weights after `for layer in model.layers[-N:]: layer.trainable = True` in Keras 3."""
    tail = inception.tail(layers, batch_statistics=False)
    trained = sum(p.numel() for p in tail.parameters() if p.requires_grad)
    scales = sum(m.num_features for m in normalisations(tail) if m.weight.requires_grad)
    assert trained - scales == keras


@pytest.mark.parametrize("name", ["inception-v3", "densenet121", "vit_tiny_patch16_224", "convnext_atto"])
@pytest.mark.parametrize("layers", [6, 50])
def test_splitting_changes_no_feature(name, layers):
    found = backbone(name)
    side = 224 if name.startswith("vit") else 75
    images = torch.rand(2, 3, side, side)
    frozen, tail = found.frozen_part(layers), found.tail(layers, batch_statistics=False).eval()
    with torch.inference_mode():
        at_split = images if frozen is None else frozen(images)
        assert torch.equal(tail(at_split), found.pooled(images))
    assert frozen is not None


def test_the_split_of_inception(inception):
    assert inception.frozen_part(50)(torch.rand(1, 3, 75, 196)).shape == (1, 1280, 1, 4)
    assert inception.frozen_part("all") is None


def a_step(tail, images):
    before = copy.deepcopy(tail.state_dict())
    network = torch.nn.Sequential(tail, linear_head(tail(images).shape[1], 0.0)).train()
    optimizer = torch.optim.SGD([p for p in network.parameters() if p.requires_grad], lr=0.1)
    network(images).square().sum().backward()
    optimizer.step()
    return {name for name, value in tail.state_dict().items() if not torch.equal(value, before[name])}


@pytest.mark.parametrize("batch_statistics", [False, True])
def test_frozen_normalisations_keep_their_averages(batch_statistics):
    """As in Keras, where a frozen normalisation is in inference mode."""
    found = backbone("test_resnet")
    tail = found.tail(10, batch_statistics)
    names = found.order.trained_modules(10)
    changed = a_step(tail, found.frozen_part(10)(torch.rand(4, 3, 75, 75)))
    averages = {name for name in changed if "running" in name}
    weights = changed - averages - {name for name in changed if "num_batches" in name}
    assert weights and all(any(name.startswith(f"body.{trained}") for trained in names) for name in weights)
    assert bool(averages) == batch_statistics
    assert all(any(name.startswith(f"body.{trained}") for trained in names) for name in averages)


def test_everything_can_be_trained():
    found = backbone("test_resnet")
    tail = found.tail("all", False)
    assert all(p.requires_grad for p in tail.parameters())
    assert "body.network.conv1.0.weight" in a_step(tail, torch.randn(4, 3, 75, 75))
    assert not any(p.requires_grad for p in found.pooled.parameters())


def test_the_last_layers_need_weights(inception):
    with pytest.raises(ModelError, match="have no weights; train more layers"):
        inception.frozen_part(2)


def test_the_joint_head_of_table_3():
    """Image output beside 768 token dimensions, Dense 32, Dense 1; RoBERTa-base and InceptionV3 as published."""
    network = Fusion(None, torch.nn.Identity(), 768 + 1, 0.2)
    head = sum(p.numel() for p in network.parameters())
    assert head == (769 * 32 + 32) + (32 + 1) == 24_673


def test_roberta_and_albert_have_their_published_parameters():
    from transformers import AlbertConfig, AlbertModel, RobertaConfig, RobertaModel

    roberta = {"vocab_size": 50_265, "max_position_embeddings": 514, "type_vocab_size": 1}
    albert = {
        "hidden_size": 768, "num_attention_heads": 12, "intermediate_size": 3072, "vocab_size": 30_000
    }  # fmt: skip
    with torch.device("meta"):
        models = RobertaModel(RobertaConfig(**roberta)), AlbertModel(AlbertConfig(**albert))
    assert [sum(p.numel() for p in model.parameters()) for model in models] == [124_645_632, 11_683_584]


def test_a_network_that_cannot_be_traced():
    class Forked(torch.nn.Module):
        def forward(self, images):
            return images if images.sum() > 0 else -images

    with pytest.raises(ModelError, match="use layers=all"):
        trace_layers(Forked())


def test_a_tail_stays_in_inference_mode_where_it_is_frozen():
    found = backbone("test_resnet")
    tail = found.tail(6, True).train()
    modes = {name: m.training for name, m in tail.body.named_modules() if m in normalisations(tail)}
    assert isinstance(tail, Tail)
    assert {name for name, training in modes.items() if training} == found.order.trained_modules(6) & set(modes)
    assert set(modes) - found.order.trained_modules(6)
