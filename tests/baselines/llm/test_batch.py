"""The batch interface, on a test server that has one."""

import pandas as pd
import pytest

from .test_in_context import _predictions


def test_a_batch_gives_what_direct_requests_give(serve, ask):
    direct, batched = serve(), serve()
    one = ask(direct.url)
    two = ask(batched.url, "--batch")
    pd.testing.assert_series_equal(_predictions(one)["prediction"], _predictions(two)["prediction"])
    assert batched.sent == 1 and len(batched.batches) == 1  # the first request is sent directly
    assert sum(batched.paid.values()) == 32 and max(batched.paid.values()) == 1
    assert ask(batched.url, "--batch", "--fresh").code == 0 and len(batched.batches) == 1


@pytest.mark.parametrize("first", [(), ("--max-requests", "20")])
@pytest.mark.parametrize("refuses", [None, "response_format"])
def test_an_interrupted_batch_is_found_again(serve, ask, monkeypatch, first, refuses):
    from ecdbench.baselines.llm import batch

    def reply(body):
        message = f"Unknown field {refuses}"
        return (400, {"error": {"message": message, "param": refuses}}) if refuses in body else None

    server = serve(reply=reply)
    server.polls_until_done = 3

    async def interrupt(seconds):
        if seconds:
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(batch.asyncio, "sleep", interrupt)
        assert ask(server.url, "--batch", *first).code == 130
    assert len(server.batches) == 1
    assert ask(server.url, "--batch").code == 0
    assert len(server.batches) == (2 if first else 1)
    assert sum(server.paid.values()) == 32 and max(server.paid.values()) == 1


def test_odd_lines_spoil_nothing_else(serve, ask, monkeypatch):
    server = serve()
    look = server._look

    def spoil(batch):
        found = look(batch)
        name = f"out-{batch['id']}"
        if name in server.files and not server.files[name].startswith(b"nonsense"):
            lines = server.files[name].decode().splitlines()
            odd = [
                "nonsense",
                '{"custom_id": [], "response": {"status_code": 200, "body": {}}}',
                '{"custom_id": "x", "response": []}',
                '{"custom_id": "x"}',
                "[" * 5000,
            ]
            server.files[name] = "\n".join([*odd, *lines[3:]]).encode()
        return found

    monkeypatch.setattr(server, "_look", spoil)
    outcome = ask(server.url, "--batch")
    assert outcome.code == 0 and server.sent == 4  # the first request, and three whose lines are missing


def test_what_a_batch_leaves_open_is_asked_directly(serve, ask):
    server = serve()
    seen = []

    def reply(body):
        seen.append(body)
        return (500, {"error": {"message": "busy"}}) if len(seen) % 7 == 5 else None

    server.reply = reply
    outcome = ask(server.url, "--batch")
    assert outcome.code == 0 and 1 < server.sent < 12


def test_a_batch_costs_less(serve, ask, tmp_path):
    prices = tmp_path / "prices.yaml"
    prices.write_text("- {model: made-up, input: 10.0, output: 100.0, batch: 0.5}\n")
    outcome = ask(serve().url, "--batch", "--prices", prices)
    assert "cost $0.0330" in outcome.out  # one at 0.002, 31 at 0.001


def test_an_endpoint_without_batches(ask):
    from ...servers.faults import Serving
    from ...servers.llm import LanguageModel

    pytest.importorskip("openai")
    model = LanguageModel()

    def app(environ, start_response):
        if environ["PATH_INFO"].endswith("/chat/completions"):
            return model(environ, start_response)
        start_response("404 NOT FOUND", [("Content-Length", "0")])
        return [b""]

    with Serving(app) as serving:
        outcome = ask(f"{serving.url}/v1", "--batch")
    assert outcome.code == 1 and "has no batch interface; leave out --batch" in outcome.err
