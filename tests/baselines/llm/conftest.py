"""A test endpoint, and the command that queries it."""

import pytest

from ...servers.faults import Serving
from ...servers.llm import LanguageModel

KEY = "sk-test-7f3e9a1c5d"


@pytest.fixture
def serve(monkeypatch):
    """Serve a test language model at `.url`."""
    pytest.importorskip("openai")
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    open_servers = []

    def start(**given):
        model = LanguageModel(**given)
        serving = Serving(model)
        serving.__enter__()
        open_servers.append(serving)
        model.url = f"{serving.url}/v1"
        return model

    yield start
    for serving in open_servers:
        serving.__exit__()


@pytest.fixture
def ask(cli):
    """Run `ecdbench evaluate in-context` against an endpoint."""

    def run(url, *arguments, task="ecd-fcc/k_vrh", text="single", model="made-up"):
        settings = ("--set", f"model={model}", "--set", f"base_url={url}")
        return cli("evaluate", "in-context", "--task", task, "--text", text, *settings, *arguments)

    return run
