"""Small random networks of the real classes, to test code paths; and a binary classification of real crystals."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
from ecdbench import load_task
from ecdbench.benchmark.feature_store import FeatureStore
from ecdbench.benchmark.fit_processes.here import InProcess
from ecdbench.benchmark.loading import import_code, load_model
from ecdbench.benchmark.model import Origin
from ecdbench.benchmark.predictor import RunContext
from ecdbench.tasks.datasets import DATASETS
from ecdbench.tasks.datasets.folder import FolderDefinition

from ..parts import part_of_ecd_fcc

TEXT_SIZE = {"hidden_size": 16, "num_hidden_layers": 3, "num_attention_heads": 2, "intermediate_size": 32}


def _save_tokenizer(folder, most, ends=("<s>", "</s>")):
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    words = ["<pad>", "<unk>", *ends, *"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.,()"]
    tokenizer = Tokenizer(models.WordPiece({**{w: i for i, w in enumerate(words)}}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{ends[0]} $A {ends[1]}", special_tokens=[(ends[0], 2), (ends[1], 3)]
    )
    wrapped = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", unk_token="<unk>", model_max_length=most
    )
    wrapped.save_pretrained(folder)
    return len(words)


def create(name, parameters=None):
    """A predictor that has not been fitted."""
    return load_model(import_code(Origin(name)), parameters or {}).create()


@pytest.fixture(scope="session")
def encoders(tmp_path_factory):
    """Folders of a small random RoBERTa and ALBERT, by name."""
    torch = pytest.importorskip("torch", reason="needs the extra torch")
    from transformers import AlbertConfig, AlbertModel, RobertaConfig, RobertaModel

    torch.manual_seed(0)
    found = {}
    kinds = {
        "roberta": (RobertaConfig, RobertaModel, {"max_position_embeddings": 66, "pad_token_id": 0}),
        "albert": (AlbertConfig, AlbertModel, {"max_position_embeddings": 64, "embedding_size": 8}),
    }
    for name, (config, model, options) in kinds.items():
        folder = tmp_path_factory.mktemp("encoders") / f"random-{name}"
        vocabulary = _save_tokenizer(folder, 64)
        model(config(vocab_size=vocabulary, **TEXT_SIZE, **options)).save_pretrained(folder)
        found[name] = str(folder)
    return found


@pytest.fixture(scope="session")
def clip_folder(tmp_path_factory):
    """The folder of a small random CLIP."""
    torch = pytest.importorskip("torch", reason="needs the extra torch")
    from transformers import CLIPConfig, CLIPModel

    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("clip") / "random-clip"
    vocabulary = _save_tokenizer(folder, 32)
    text = {**TEXT_SIZE, "vocab_size": vocabulary, "max_position_embeddings": 32, "eos_token_id": 3, "bos_token_id": 2}
    vision = {**TEXT_SIZE, "image_size": 32, "patch_size": 16}
    CLIPModel(CLIPConfig(text_config=text, vision_config=vision, projection_dim=12)).save_pretrained(folder)
    scaling = {"image_mean": [0.5, 0.4, 0.3], "image_std": [0.2, 0.2, 0.2]}
    scaling |= {"image_processor_type": "CLIPImageProcessor"}
    (folder / "preprocessor_config.json").write_text(json.dumps(scaling))
    return str(folder)


@pytest.fixture
def binary_context(tmp_path):
    """Makes contexts to fit a binary target in."""

    def make(target="is_stiff", description=""):
        (tmp_path / "work").mkdir(exist_ok=True)
        return RunContext(
            task=f"ecd-fcc/{target}",
            target=target,
            unit="",
            description=description,
            kind="classification",
            seed=0,
            device="cpu",
            cache_dir=tmp_path / "shared",
            shared_dir=tmp_path / "shared",
            work_dir=tmp_path / "work",
            features=FeatureStore(tmp_path / "features"),
        )

    return make


@dataclass
class Classification:
    """Crystals labelled 1 if their bulk modulus is above the training median, else 0, and contexts to fit in."""

    train: object
    validation: object
    targets: np.ndarray
    context: Callable[[], RunContext]


@pytest.fixture(params=["key"])
def classification(request, binary_context):
    """The task, with the text tier given by the parameter."""
    data = load_task("ecd-fcc/k_vrh", text=request.param)
    threshold = np.median(data.targets(data.splits["train"]))

    def labelled(split):
        targets = (data.targets(data.splits[split]) > threshold).astype(float)
        rows = data.table(data.splits[split]).with_format(None).add_column("target", targets)
        return rows.with_format("numpy", columns=["density", "target"], output_all_columns=True)

    train, validation = labelled("train"), labelled("validation")
    return Classification(train, validation, np.asarray(train["target"]), binary_context)


@pytest.fixture(scope="session")
def some_crystals(tmp_path_factory):
    """The packaged dataset with 189 of its crystals, so that tests are quick: 32 in the holdout of k_vrh."""
    wanted = {*load_task("ecd-fcc@1/band_gap").ids, "mp-11236"}
    return part_of_ecd_fcc(tmp_path_factory.mktemp("ecd-fcc"), wanted)


@pytest.fixture(autouse=True)
def _some_crystals(some_crystals, monkeypatch):
    monkeypatch.setitem(DATASETS._loaded, "ecd-fcc", FolderDefinition(some_crystals, "Build it again.", "packaged"))


@pytest.fixture(autouse=True)
def _fits_in_this_process(monkeypatch):
    """Networks are made small here, and servers are watched, by changes to this process."""
    place = InProcess()
    monkeypatch.setattr("ecdbench.api.workplace", lambda *_: place)


@pytest.fixture
def k_vrh(_some_crystals):
    """The task ecd-fcc/k_vrh on these crystals."""
    return load_task("ecd-fcc/k_vrh")
