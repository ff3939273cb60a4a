"""Failures of endpoints: one sentence each, no answer lost, no needless request."""

import re
import sys
import time
from itertools import pairwise
from pathlib import Path

import pytest

from ...servers.llm import completion


def _error(message, code=None):
    return {"error": {"message": message, "code": code, "type": "invalid_request_error"}}


FATAL = {
    "wrong key": ((401, _error("Incorrect API key provided")), "rejects the API key"),
    "no permission": ((403, _error("no access")), "rejects the API key"),
    "unknown model": (
        (404, _error("The model `made-up` does not exist", "model_not_found")),
        "does not know this model",
    ),
    "quota": ((429, _error("You exceeded your current quota", "insufficient_quota")), "quota at .* is used up"),
    "too long": (
        (
            400,
            _error("This model's maximum context length is 4096 tokens, but you sent 9000", "context_length_exceeded"),
        ),
        r"about \d,\d+ tokens.*9000.*fewer examples.*shorter text tier",
    ),
    "no vision": ((400, _error("Invalid content type. image_url is only supported by certain models")), "image=false"),
    "other": ((422, {"detail": "what is this?"}), "rejects the request.*what is this"),
}


@pytest.mark.parametrize("case", FATAL)
def test_what_will_never_work_is_told_at_once(serve, ask, case):
    reply, sentence = FATAL[case]
    server = serve(reply=lambda body: reply)
    start = time.monotonic()
    outcome = ask(server.url, "--concurrency", "4")
    assert outcome.code == 1 and len(outcome.err.strip().splitlines()) == 1
    assert re.search(sentence, outcome.err), outcome.err
    assert server.sent <= 4 + 3 and time.monotonic() - start < 10


def test_no_key_for_openai(cli, monkeypatch):
    pytest.importorskip("openai")
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    command = ("evaluate", "in-context", "--task", "ecd-fcc/k_vrh", "--set", "model=gpt-4o-mini")
    outcome = cli(*command)
    assert outcome.code == 1 and "OPENAI_API_KEY is not set" in outcome.err
    assert "MINE is not set" in cli(*command, "--set", "api_key_env=MINE").err
    monkeypatch.setenv("OPENAI_API_KEY", "two words")
    assert "is not an API key" in cli(*command).err and "two words" not in cli(*command).err


def test_a_named_key(serve, ask, monkeypatch):
    server = serve()
    monkeypatch.setenv("MINE", "another-key")
    ask(server.url, "--set", "api_key_env=MINE", "--limit", "1")
    assert server.seen == ["Bearer another-key"]


def test_without_the_package(serve, ask, monkeypatch):
    server = serve()
    monkeypatch.setitem(sys.modules, "openai", None)
    outcome = ask(server.url)
    assert outcome.code == 1 and "pip install 'ecdbench[llm]'" in outcome.err


def test_nobody_there(serve, ask):
    start = time.monotonic()
    outcome = ask("http://127.0.0.1:9/v1")
    assert outcome.code == 1 and "cannot be reached" in outcome.err and "Nothing was answered: check" in outcome.err
    assert time.monotonic() - start < 20


@pytest.mark.parametrize(
    "url", ["localhost:8000/v1", "ftp://host/v1", "http://", "http://user:pass@host/v1", "http://h/v1?key=1"]
)
def test_addresses(ask, url):
    outcome = ask(url)
    assert outcome.code == 1 and "base_url" in outcome.err and "pass@" not in outcome.err


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        ("<html>welcome</html>", "web page; check base_url"),
        ('{"choices": [', "incomplete JSON"),
        ("", "incomplete JSON"),
        ("{}", "other than a chat completion"),
        ("[]", "other than a chat completion"),
        ('{"choices": null}', "other than a chat completion"),
        ('{"error": {"message": "overloaded"}}', "overloaded"),
    ],
)
def test_200_that_is_no_answer(ask, answer, sentence, monkeypatch):
    from ...servers.faults import Serving

    pytest.importorskip("openai")

    def app(environ, start_response):
        environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
        start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(answer)))])
        return [answer.encode()]

    with Serving(app) as serving:
        outcome = ask(f"{serving.url}/v1")
    assert outcome.code == 1 and sentence in outcome.err and len(outcome.err.strip().splitlines()) == 1


def test_a_slow_answer(serve, ask):
    server = serve(latency=3)
    outcome = ask(server.url, "--timeout", "0.3", "--limit", "1")
    assert outcome.code == 1 and "did not answer within 0.3 seconds" in outcome.err


@pytest.mark.parametrize("field", ["response_format", "temperature", "seed", "max_tokens"])
def test_fields_that_an_endpoint_does_not_know(serve, ask, field):
    def reply(body):
        if field in body:
            return 400, _error(f"Unsupported parameter: '{field}' is not supported with this model.")
        return None

    server = serve(reply=reply)
    outcome = ask(server.url, "--concurrency", "1")
    assert outcome.code == 0 and server.sent == 33  # the refusal is remembered
    assert field not in server.bodies[-1]
    assert ("max_completion_tokens" in server.bodies[-1]) == (field == "max_tokens")
    assert f"does not accept {field}; requests were sent without" in outcome.out


def _unless_asked_about(text, answer):
    def reply(body):
        return answer if body["messages"][-1]["content"][0]["text"].startswith(f"Description: {text}\n") else None

    return reply


def test_one_field_is_left_out_at_a_time(serve, ask):
    """Some endpoints echo the whole request in the error."""

    def reply(body):
        detail = [{"loc": ["body", "response_format"], "msg": "not permitted", "input": body}]
        return (422, {"detail": detail}) if "response_format" in body else None

    server = serve(reply=reply)
    assert ask(server.url, "--concurrency", "1").code == 0
    assert {"temperature", "seed", "max_tokens"} <= set(server.bodies[-1])


def test_a_row_that_is_always_filtered_ends_no_run(serve, ask):
    server = serve(reply=_unless_asked_about("Ir", (400, _error("content policy", "content_filter"))))
    for more in ((), ("--fresh",), ("--concurrency", "1", "--fresh")):
        outcome = ask(server.url, *more)
        assert outcome.code == 3 and "1 filtered, 31 ok" in outcome.err
    server.reply = lambda body: (500, _error("boom")) if body["seed"] == 1000 else None
    assert ask(server.url, "--seeds", "2").code == 1


def test_odd_answers_are_kept_and_end_no_run(serve, ask):
    """Malformed parts of an answer count as unknown or unparsed; the same command again sends nothing."""
    good = completion({"model": "m"}, '{"value": 1}')
    odd = [
        {**good, "usage": "x"},
        {**good, "usage": {"prompt_tokens": 10**400, "completion_tokens": -5}},
        {**good, "usage": {"prompt_tokens": 100.0, "completion_tokens": 5, "prompt_tokens_details": "x"}},
        {**good, "model": "cut \ud83d"},
        completion({"model": "m"}, "cut \ud83d"),
        completion({"model": "m"}, [{"text": 5}, "x", {"text": '{"value": 2}'}]),
    ]
    counter = iter(range(1000))
    server = serve(reply=lambda body: (200, odd[next(counter) % len(odd)]))
    Path("prices.yaml").write_text("- {model: made-up, input: 10.0, output: 100.0}\n")
    for _ in range(2):
        outcome = ask(server.url, "--fresh", "--prices", "prices.yaml")
        assert outcome.code == 3 and "unparsed" in outcome.err and "cost unknown" in outcome.out
    assert server.sent == 32


@pytest.mark.parametrize("usage", [None, {"prompt_tokens": -100, "completion_tokens": -1}, {"prompt_tokens": "many"}])
def test_max_cost_holds_where_tokens_are_not_counted(serve, ask, tmp_path, usage):
    prices = tmp_path / "prices.yaml"
    prices.write_text("- {model: made-up, input: 1.0, output: 2.0}\n")
    server = serve(reply=lambda body: (200, {**completion(body, '{"value": 1}'), "usage": usage}))
    outcome = ask(server.url, "--max-cost", "0.05", "--prices", prices)
    assert outcome.code == 1 and "--max-cost 0.05 would be exceeded" in outcome.err and server.sent < 20


def test_max_cost_learns_from_the_first_answer(serve, ask, tmp_path):
    """Tokens are estimated far too low: one answer is paid for, not eight."""
    prices = tmp_path / "prices.yaml"
    prices.write_text("- {model: made-up, input: 1.0, output: 2.0}\n")
    usage = {"prompt_tokens": 40_000, "completion_tokens": 10}
    server = serve(reply=lambda body: (200, {**completion(body, '{"value": 1}'), "usage": usage}))
    outcome = ask(server.url, "--max-cost", "0.06", "--prices", prices, "--concurrency", "8")
    assert outcome.code == 1 and server.sent == 1


def test_retry_after_zero_is_no_invitation(serve, ask):
    server = serve(reply=lambda body: (429, _error("slow down")))
    server.headers = {"Retry-After": "0"}
    start = time.monotonic()
    with pytest.MonkeyPatch.context() as patched:
        from ecdbench.baselines.llm import scheduler

        patched.setattr(scheduler, "_MAX_RATE_LIMITED", 4.0)
        outcome = ask(server.url, "--limit", "2")
    assert outcome.code == 1 and server.sent < 60 and time.monotonic() - start < 60


def test_redirects_are_not_followed(ask):
    from ...servers.faults import Serving

    pytest.importorskip("openai")
    seen = []

    def app(environ, start_response):
        seen.append(environ["PATH_INFO"])
        start_response("307 MOVED", [("Location", "/elsewhere"), ("Content-Length", "0")])
        return [b""]

    with Serving(app) as serving:
        outcome = ask(f"{serving.url}/v1", "--concurrency", "1")
    assert outcome.code == 1 and "redirects to /elsewhere" in outcome.err and len(seen) == 1


@pytest.mark.parametrize("key", ["1", "a", "e", "message"])
def test_a_word_for_a_key_is_in_every_text(serve, ask, monkeypatch, key):
    server = serve()
    monkeypatch.setenv("OPENAI_API_KEY", key)
    assert ask(server.url, "--set", "image=false", "--limit", "2").out.count("2 ok") >= 1


def test_a_key_where_its_name_should_be(serve, ask):
    outcome = ask(serve().url, "--set", "api_key_env=sk-test-7f3e9a1c5d")
    assert outcome.code == 1 and "api_key_env is not the name" in outcome.err
    assert "sk-test" not in outcome.out + outcome.err and not Path("runs").exists()


def test_one_prompt_that_is_too_long_costs_one_row(serve, ask):
    server = serve(reply=_unless_asked_about("Li2S", (400, _error("maximum context length is 10 tokens"))))
    outcome = ask(server.url, "--concurrency", "1")
    assert outcome.code == 3 and "Some requests have no answer; the first reason: The prompt, about" in outcome.out
    assert "(answers: 1 error, 31 ok)" in outcome.err and server.sent == 32


def test_rate_limits_hold_everybody_back(serve, ask):
    """Only 429 in the first second: all workers wait as long as they are told."""
    opened = []

    def reply(body):
        opened.append(time.monotonic())
        return (429, _error("slow down")) if opened[-1] - opened[0] < 1.0 else None

    server = serve(reply=reply)
    server.headers = {"Retry-After": "0.5"}
    outcome = ask(server.url, "--concurrency", "8")
    assert outcome.code == 0 and server.sent <= 32 + 8 * 4
    gaps = [later - earlier for earlier, later in pairwise(opened)]
    assert max(gaps) > 0.4  # all workers wait together


def test_token_budgets_are_heeded(serve, ask):
    server = serve()
    server.headers = {
        "x-ratelimit-limit-tokens": "100000",
        "x-ratelimit-remaining-tokens": "10",
        "x-ratelimit-reset-tokens": "5s",
    }
    outcome = ask(server.url, "--concurrency", "1", "--limit", "4", "--set", "max_tokens=18000", "--set", "shots=0")
    assert outcome.code == 3
    times = sorted(at for ats in server.paid_at.values() for at in ats)
    # A request needs 18 % of the tokens, so it waits for 18 % of the reset.
    assert all(later - earlier > 0.18 * 5 for earlier, later in pairwise(times))


def test_max_requests_stops_and_goes_on(serve, ask):
    server = serve()
    outcome = ask(server.url, "--max-requests", "10", "--concurrency", "4")
    assert outcome.code == 1 and server.sent == 10
    assert "--max-requests 10 is reached" in outcome.err and "10 of 32 answers" in outcome.err
    assert ask(server.url).code == 0 and server.sent == 32


def test_max_cost_is_never_passed(serve, ask, tmp_path):
    prices = tmp_path / "prices.yaml"
    prices.write_text("- {model: made-up, input: 10.0, output: 100.0}\n")  # 0.002 an answer, at most 0.0045 or so
    server = serve(latency=0.02)
    few = ("--set", "max_tokens=10", "--set", "shots=0", "--set", "image=false", "--prices", prices)
    outcome = ask(server.url, *few, "--max-cost", "0.02", "--concurrency", "16")
    assert outcome.code == 1 and "--max-cost 0.02 would be exceeded" in outcome.err
    assert 7 <= server.sent <= 10 and sum(server.paid.values()) * 0.002 <= 0.02
    assert ask(server.url, *few).code == 0
    unknown = ask(server.url, "--max-cost", "1")
    assert unknown.code == 1 and "is not known" in unknown.err and "--prices" in unknown.err


def test_an_error_of_a_row_is_tried_again_by_the_next_command(serve, ask, monkeypatch):
    from ecdbench.baselines.llm import scheduler

    monkeypatch.setattr(scheduler, "_MAX_ATTEMPTS", 2)
    server = serve(reply=_unless_asked_about("Li2S", (500, _error("boom"))))
    outcome = ask(server.url, "--concurrency", "1")
    assert outcome.code == 3 and "boom" in outcome.out and "The same command asks again" in outcome.err
    assert server.sent == 33
    server.reply = None
    assert ask(server.url).code == 0 and server.sent == 34
    assert "0 requests" not in ask(server.url).out and server.sent == 34


def test_an_endpoint_that_goes_down_in_between(serve, ask, monkeypatch):
    from ecdbench.baselines.llm import scheduler

    monkeypatch.setattr(scheduler, "_MAX_ATTEMPTS", 2)
    server = serve()
    server.reply = lambda body: (503, _error("down")) if server.sent > 10 else None
    outcome = ask(server.url, "--concurrency", "2")
    assert outcome.code == 1 and "503" in outcome.err and "the same command continues" in outcome.err
    server.reply = None
    assert ask(server.url).code == 0 and max(server.paid.values()) == 1


def test_what_parameters_may_not_be(ask):
    url = "http://127.0.0.1:9/v1"
    for setting, sentence in {
        "shots=-1": "shots must be a non-negative integer (got -1)",
        "shots=1000": "exceeds the number of training rows",
        "selection=best": "no selection",
        "image=2": "true or false",
        "temperature=hot": "temperature must be a number (got 'hot')",
        "max_tokens=0": "max_tokens must be a positive integer (got 0)",
        "request_options=5": "JSON object",
        "request_options=false": "JSON object",
        'request_options={"messages": []}': "JSON object",
        'request_options={"max_completion_tokens": 5}': "JSON object",
        'request_options={"a": NaN}': "JSON object",
        'request_options={"a": "\\ud800"}': "JSON object",
        'prompt="a\\u0000"': "prompt=",
        "base_url=[]": "base_url must be a text (got [])",
        "base_url=http://\u2603.example/v1": "not a valid http(s) URL",
        "model=null": "model must be a text (got None)",
        "api_key=sk-1": "no parameter 'api_key'",
    }.items():
        outcome = ask(url, "--set", setting)
        assert outcome.code == 1 and sentence in outcome.err, (setting, outcome.err)
    assert "Nothing would be shown" in ask(url, "--set", "image=false", text="none").err
    assert "--set model=NAME" in ask(url, model="").err


def test_a_price_table_that_is_none(serve, ask):
    server = serve()
    Path("prices.yaml").write_text("- {model: x, input: cheap, output: 1}\n")
    assert "is not a price table" in ask(server.url, "--prices", "prices.yaml").err
    assert "There is no price table" in ask(server.url, "--prices", "other.yaml").err
    assert server.sent == 0


def test_a_key_that_an_endpoint_answers_with_is_not_kept(serve, ask, monkeypatch, tmp_path):
    """As a text, in a text, and as the name of a field."""
    key = "sk-0123456789abcdef"
    monkeypatch.setenv("OPENAI_API_KEY", key)
    server = serve(reply=lambda body: (200, completion(body, f"165 GPa {key}") | {key: {key: [key]}}))
    outcome = ask(server.url)
    assert outcome.code == 0, outcome.err
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert any(b"[key]" in path.read_bytes() for path in files)
    assert not [path for path in files if key.encode() in path.read_bytes()]
