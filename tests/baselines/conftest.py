"""Small random networks of the real classes, made from a configuration: they test code paths and predict nothing."""

from __future__ import annotations

import json

import pytest

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
