"""Folders of transformers models that bring code along."""

import contextlib
import json
import shutil
from pathlib import Path

import pytest
from ecdbench.benchmark.errors import ModelError

pytest.importorskip("transformers", reason="needs the extra torch")

from ecdbench.baselines.transfer.text_encoder import load_text_model

CODE = """
from pathlib import Path
Path({canary!r}).write_text("executed")
from transformers import PretrainedConfig, RobertaModel, RobertaTokenizerFast
class Config(PretrainedConfig):
    model_type = "own"
Model, Tokenizer = RobertaModel, RobertaTokenizerFast
"""
# By part: the file that names the code, and what it says.
PARTS = {
    "model": ("config.json", {"model_type": "own", "auto_map": {"AutoConfig": "own.Config", "AutoModel": "own.Model"}}),
    "tokenizer": (
        "tokenizer_config.json",
        {"tokenizer_class": "Own", "auto_map": {"AutoTokenizer": ["own.Tokenizer", "own.Tokenizer"]}},
    ),
}


@pytest.mark.parametrize("part", PARTS)
def test_code_in_a_folder_is_never_run(encoders, tmp_path, monkeypatch, part):
    monkeypatch.setattr("transformers.dynamic_module_utils.HF_MODULES_CACHE", str(tmp_path / "modules"))
    monkeypatch.setattr("builtins.input", lambda *question: "y")  # what a user might type
    folder, canary = Path(shutil.copytree(encoders["roberta"], tmp_path / "own")), tmp_path / "canary"
    (folder / "own.py").write_text(CODE.format(canary=str(canary)))
    name, said = PARTS[part]
    (folder / name).write_text(json.dumps(json.loads((folder / name).read_text()) | said))
    with contextlib.suppress(ModelError):  # transformers knows another way to load some
        getattr(load_text_model(str(folder)), part)
    assert not canary.exists()
