import pickle

import pytest

torch = pytest.importorskip("torch", reason="needs the extra torch")

from ecdbench.baselines.transfer.backbone import PRESETS, Backbone, find_preset  # noqa: E402
from ecdbench.baselines.transfer.weights import find_weights  # noqa: E402
from ecdbench.benchmark.errors import ModelError  # noqa: E402
from safetensors.torch import save_file  # noqa: E402

NAME = "test_resnet"


@pytest.fixture
def content():
    """A network's weights, filled with numbers that tell them apart."""
    network = Backbone(NAME, find_weights(NAME, "random")).network
    return {name: torch.full_like(value, i + 1) for i, (name, value) in enumerate(network.state_dict().items())}


def loaded(path):
    return Backbone(NAME, find_weights(NAME, str(path))).network.state_dict()


def test_a_file_is_loaded_whole_and_its_top_is_left_out(content, tmp_path):
    path = tmp_path / "weights.safetensors"
    save_file({**content, "fc.weight": torch.zeros(1000, 96)}, path)
    found = loaded(path)
    assert found.keys() == content.keys()
    assert all(torch.equal(found[name], value) for name, value in content.items())


def test_the_hash_follows_the_content(content, tmp_path):
    path = tmp_path / "weights.safetensors"
    save_file(content, path)
    first = find_weights(NAME, str(path)).sha256
    save_file({**content, "conv1.0.weight": content["conv1.0.weight"] + 1}, path)
    assert find_weights(NAME, str(path)).sha256 != first


def test_a_safetensors_file_is_known_by_its_content(content, tmp_path):
    save_file(content, tmp_path / "weights")
    assert torch.equal(loaded(tmp_path / "weights")["conv1.0.weight"], content["conv1.0.weight"])


def test_weights_that_are_not_finite(content, tmp_path):
    content["conv1.0.weight"][0] = float("nan")
    save_file(content, tmp_path / "weights.safetensors")
    with pytest.raises(ModelError, match=r"not finite \(conv1.0.weight\)"):
        loaded(tmp_path / "weights.safetensors")


def test_a_checkpoint_of_plain_tensors_is_loaded(content, tmp_path):
    path = tmp_path / "weights.pt"
    torch.save({"state_dict": content}, path)
    assert torch.equal(loaded(path)["conv1.0.weight"], content["conv1.0.weight"])


class Bomb:
    def __reduce__(self):
        import pathlib

        return pathlib.Path.touch, (pathlib.Path("exploded"),)


@pytest.mark.parametrize("how", ["torch", "pickle"])
def test_a_pickle_that_runs_code_is_not_loaded(how, tmp_path):
    path = tmp_path / "weights.pth"
    torch.save({"a": Bomb()}, path) if how == "torch" else path.write_bytes(pickle.dumps({"a": Bomb()}))
    with pytest.raises(ModelError, match="save it as safetensors"):
        loaded(path)
    assert not (tmp_path / "here" / "exploded").exists()


def test_a_zip_that_would_fill_the_memory(tmp_path):
    """A compressed record, which torch would unpack."""
    import zipfile

    whole, bomb = tmp_path / "whole.pt", tmp_path / "bomb.pt"
    torch.save({"weight": torch.zeros(8)}, whole)
    with zipfile.ZipFile(whole) as source, zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as target:
        for name in source.namelist():
            content = source.read(name)
            target.writestr(name, bytes(64 * 2**20) if name.endswith("data/0") else content)
    with pytest.raises(ModelError, match="unpacks to 64 MiB, far more than its size"):
        loaded(bomb)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.update({"conv1.0.weight": torch.zeros(1, 2)}), r"conv1.0.weight has shape \(1, 2\), not"),
        (lambda c: c.pop("conv1.0.weight"), "conv1.0.weight is missing"),
        (lambda c: c.update({"other": torch.zeros(1)}), "other is unexpected"),
    ],
)
def test_weights_of_another_network(content, tmp_path, change, message):
    path = tmp_path / "weights.safetensors"
    change(content)
    save_file(content, path)
    with pytest.raises(ModelError, match=message):
        loaded(path)


def test_files_that_hold_no_weights(content, tmp_path):
    with pytest.raises(ModelError, match=r"There is no weights file nothing.safetensors"):
        loaded("nothing.safetensors")
    path = tmp_path / "cut.safetensors"
    save_file(content, path)
    path.write_bytes(path.read_bytes()[:-50])
    with pytest.raises(ModelError, match="not a complete safetensors file"):
        loaded(path)
    path = tmp_path / "list.pt"
    torch.save([1, 2], path)
    with pytest.raises(ModelError, match="does not hold tensors by name"):
        loaded(path)


@pytest.mark.parametrize("network", ["resnet18.a1_in1k", PRESETS["xception"].network])
def test_offline_there_is_no_silent_fallback(network, monkeypatch, tmp_path):
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")  # nothing listens there
    with pytest.raises(ModelError, match=r"cannot be downloaded.*only with --set weights=random"):
        find_weights(network, "pretrained")


def test_a_network_without_pretrained_weights():
    with pytest.raises(ModelError, match="no pretrained weights for botnet50ts_256; give --set weights=PATH"):
        find_weights("botnet50ts_256", "pretrained")


def test_random_weights_are_the_same_each_time():
    networks = [Backbone(NAME, find_weights(NAME, "random")).network for _ in range(2)]
    torch.manual_seed(5)
    assert torch.equal(*(network.conv1[0].weight for network in networks))
    assert find_weights(NAME, "random").as_dict()["weights"] == "random"


def test_a_network_that_was_first_asked_for_its_size_can_be_trained():
    found = Backbone(NAME, find_weights(NAME, "random"))
    assert found.accepts(75, 75) and found.width == 96
    images = torch.rand(2, 3, 75, 75)
    found.tail("all", False)(images).sum().backward()


def test_presets_and_other_networks():
    assert find_preset("inception-v3").batch_size == 6 and find_preset("inception-v3").learning_rate == 0.007
    assert find_preset("convnext_tiny").network == "convnext_tiny"
    with pytest.raises(ModelError, match=r"Did you mean .*convnext_tiny"):
        find_preset("convnext_tini")
    with pytest.raises(ModelError, match=r"Did you mean .*inception-v3"):
        find_preset("inceptionv3")
