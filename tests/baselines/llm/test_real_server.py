"""A real server: `transformers serve` with a small vision-language model with random weights."""

import importlib.util
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from ...servers.tiny_vlm import make_tiny_vlm
from .test_in_context import _run


@pytest.fixture(scope="module")
def real_server(tmp_path_factory):
    for needed in ("torch", "transformers", "fastapi", "uvicorn", "openai"):
        if importlib.util.find_spec(needed) is None:
            pytest.skip(f"{needed} is not installed")
    folder = tmp_path_factory.mktemp("serve")
    model = make_tiny_vlm(folder / "tiny-vlm")
    (folder / "hub").mkdir()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = shutil.which("transformers", path=str(Path(sys.executable).parent)) or "transformers"
    environment = {**os.environ, "HF_HOME": str(folder), "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    with (folder / "log").open("w") as log:
        process = subprocess.Popen([command, "serve", "--port", str(port)], env=environment, stdout=log, stderr=log)
    try:
        _wait(f"http://127.0.0.1:{port}/health", process, folder / "log")
        yield f"http://127.0.0.1:{port}/v1", str(model)
    finally:
        process.terminate()
        process.wait(timeout=30)


def _wait(url, process, log):
    for _ in range(240):
        if process.poll() is not None:
            pytest.fail(f"transformers serve stopped: {log.read_text()[-500:]}")
        try:
            with urllib.request.urlopen(url, timeout=1):
                return
        except OSError:
            time.sleep(0.5)
    pytest.fail("transformers serve did not start in two minutes")


def test_images_and_texts_end_to_end(real_server, ask, cli):
    url, model = real_server
    outcome = ask(url, "--set", "max_tokens=8", "--set", "shots=2", model=model)
    result = json.loads((_run(outcome) / "result.json").read_text())
    usage = result["fits"][0]["usage"]
    assert usage["answers"] == 32 and sum(usage["statuses"].values()) == 32
    assert usage["prompt_tokens"] > 32 * 500 and usage["completion_tokens"] <= 32 * 8
    assert usage["models"] == [f"{model}@main"] and usage["seconds_median"] > 0
    # Random weights answer with noise: it counts as failed, and the row is shown without a rank.
    assert result["scores"]["holdout"]["coverage"] < 0.5 and not result["rankable"] and outcome.code == 3
    cli("evaluate", "mean", "--task", "ecd-fcc/k_vrh", "-q")
    board = cli("leaderboard").out
    assert "in-context + text single (model=tiny-vlm" in board and "not ranked" in board
    before = usage["sent"]
    again = ask(url, "--set", "max_tokens=8", "--set", "shots=2", "--fresh", model=model)
    assert before == 32 and " 0 requests sent" in again.out


def test_the_images_reach_the_model(real_server, ask):
    """Without images, a prompt is shorter by their tokens."""
    url, model = real_server

    def tokens(*more):
        outcome = ask(url, "--set", "max_tokens=1", "--set", "shots=2", "--limit", "2", *more, model=model)
        return json.loads((_run(outcome) / "result.json").read_text())["fits"][0]["usage"]["prompt_tokens"]

    assert tokens() - tokens("--set", "image=false") >= 2 * 3 * 16  # two questions of three images of 16 tokens


def test_a_model_that_is_not_there(real_server, ask):
    """The server answers with 500, or, when many such requests meet on a busy machine, drops the connection."""
    outcome = ask(real_server[0], model="no-such-model")
    assert outcome.code == 1 and len(outcome.err.strip().splitlines()) == 1
    assert "500" in outcome.err or "lost the connection (" in outcome.err
