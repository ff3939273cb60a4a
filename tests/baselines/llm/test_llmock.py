"""Against LLMock, a mock of OpenAI's API that also checks the client's behaviour."""

import pytest

pytest.importorskip("llmock")
pytest.importorskip("openai")


def test_a_storm_of_rate_limits(llmock, cli):
    llmock.rate_limit(times=6, retry_after=0.2)
    llmock.reply('{"value": 1.5}', times=None)
    settings = ("--set", "model=gpt-4o-mini", "--set", f"base_url={llmock.base_url()}", "--set", "shots=1")
    outcome = cli("evaluate", "in-context", "--task", "ecd-fcc/k_vrh", "--text", "single", *settings)
    assert outcome.code == 0, outcome.err
    assert len(llmock.requests) == 32 + 6
    llmock.assert_resilient()


def test_base_url_of_the_environment(llmock, cli):
    llmock.reply('{"value": 1.5}', times=None)
    outcome = cli("evaluate", "in-context", "--task", "ecd-fcc/k_vrh", "--set", "model=gpt-4o-mini", "--limit", "1")
    assert len(llmock.requests) == 1 and llmock.base_url() in outcome.out


def test_too_long_and_outage(llmock, cli):
    settings = ("--set", "model=gpt-4o-mini", "--concurrency", "1")
    llmock.context_overflow(times=None)
    outcome = cli("evaluate", "in-context", "--task", "ecd-fcc/k_vrh", *settings)
    assert outcome.code == 1 and "fewer examples" in outcome.err and len(llmock.requests) == 3
    llmock.reset().outage(status=500)
    outcome = cli("evaluate", "in-context", "--task", "ecd-fcc/k_vrh", *settings)
    assert outcome.code == 1 and "500" in outcome.err and len(llmock.requests) == 9
