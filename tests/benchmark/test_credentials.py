"""Keys never reach a parameter, a file or a message."""

import json
from pathlib import Path

import pytest
from ecdbench import evaluate
from ecdbench.benchmark.credentials import means_credential, redact
from ecdbench.benchmark.errors import ModelError

KEY = "sk-0123456789abcdef"
MODEL = """
import numpy as np

class Model:
    inputs = ("formula",)

    def __init__(self, sort_by="", extra=None, api_key=None, width=1):
        pass

    def fit(self, train, validation, context):
        self.mean = np.mean(train["target"])
        context.notes.append("asked with %s")

    def predict(self, data):
        return np.full(len(data), self.mean)

    def info(self):
        return {"header": "Bearer %s"}
"""


@pytest.mark.parametrize(
    "parameters",
    [
        {"api_key": "abc"},
        {"extra": {"api_key": "abc"}},
        {"extra": {"headers": [{"Authorization": "Bearer abc"}]}},
        {"extra": {"hfToken": "abc"}},
        {"extra": {"x-password-hint": "abc"}},
        {"sort_by": KEY},
        {"extra": ["https://host/?k=" + KEY]},
    ],
)
def test_a_parameter_that_is_a_key_is_refused(parameters, write_model, monkeypatch, k_vrh):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with pytest.raises(ModelError, match="environment variable") as refused:
        evaluate(str(write_model(MODEL % ("", ""))), k_vrh, parameters=parameters)
    assert KEY not in str(refused.value) and "abc" not in str(refused.value)


@pytest.mark.parametrize("parameters", [{"sort_by": "monkey"}, {"api_key": None}, {"extra": {"max_tokens": 7}}])
def test_other_parameters_are_not(parameters, write_model, k_vrh):
    evaluate(str(write_model(MODEL % ("", ""))), k_vrh, parameters=parameters)


def test_what_means_a_credential():
    yes = ["key", "API_KEY", "apiKey", "OPENAI_API_KEY", "HF_TOKEN", "x-api-key", "client_secret_id", "Password"]
    no = ["keyboard", "monkey", "max_tokens", "token_pattern", "api_key_env", "PWD", "passes", "author"]
    assert all(map(means_credential, yes)) and not any(map(means_credential, no))


def test_a_key_that_a_model_tells_is_not_written(write_model, monkeypatch, k_vrh, tmp_path):
    monkeypatch.setenv("MY_TOKEN", KEY)
    run = evaluate(str(write_model(MODEL % (KEY, KEY))), k_vrh)
    assert run.result.notes  # it was told
    files = [path for root in (run.folder, tmp_path / "cache") for path in root.rglob("*") if path.is_file()]
    assert len(files) > 2 and not [path for path in files if KEY.encode() in path.read_bytes()]
    assert "[key]" in json.loads((run.folder / "result.json").read_text())["model"]["info"]["header"]


def test_debug_shows_no_key(cli, monkeypatch, write_model):
    monkeypatch.setenv("MY_TOKEN", KEY)
    model = write_model(f"raise OSError('proxy says: Bearer {KEY}')\nclass Model: ...\n")
    for flags in ((), ("--debug",)):
        said = cli(*flags, "evaluate", model, "--task", "ecd-fcc/k_vrh")
        assert said.code == 1 and "[key]" in said.err and KEY not in said.err
    assert "Traceback" in said.err


def test_a_path_and_a_short_word_are_no_keys(monkeypatch, tmp_path):
    file = tmp_path / "key.pem"
    file.touch()
    monkeypatch.setenv("TLS_KEY", str(file))
    monkeypatch.setenv("SORT_KEY", "name")
    assert redact(f"{file} {Path.cwd()} name") == f"{file} {Path.cwd()} name"
