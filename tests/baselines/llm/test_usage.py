"""What answers cost: prices, estimates, and the record of a run."""

import pytest
from ecdbench.baselines.llm.replies import Answer, read_completion
from ecdbench.baselines.llm.usage import CostEstimator, Price, Service, UsageCounter, total_usage
from ecdbench.benchmark.errors import DataError, EcdbenchError

PRICE = Price(model="m", input=10.0, output=100.0, cached_input=1.0, batch=0.5)
BODY = {"messages": [{"role": "user", "content": "x" * 384}], "max_tokens": 50}  # 100 tokens, estimated


def _answer(prompt_tokens=100, completion_tokens=10, cached=0, seconds=1.0, batch=False):
    counted = {"prompt_tokens": prompt_tokens, "completion_tokens": completion_tokens}
    usage = {**counted, "prompt_tokens_details": {"cached_tokens": cached}}
    response = {"model": "m", "choices": [{"message": {"content": "1"}}], "usage": usage}
    return Answer(response, read_completion(response), seconds, batch)


def _record(price, *answers, sent=1):
    counter = UsageCounter(price)
    for answer in answers:
        counter.add(answer, is_cut=False)
        counter.statuses["ok"] += 1
    return counter.usage(sent).model_dump()


def test_cost_of_answers():
    assert _record(PRICE, _answer(), _answer(batch=True))["cost"] == pytest.approx(1.5 * 0.002)
    assert _record(PRICE, _answer(cached=60))["cost"] == pytest.approx((40 * 10 + 60 * 1 + 10 * 100) / 1e6)
    assert _record(PRICE, _answer(), _answer(prompt_tokens=None))["cost"] is None
    assert _record(None, _answer())["cost"] is None
    assert _record(PRICE)["cost"] is None


def test_estimates_only_grow():
    estimator = CostEstimator(PRICE)
    assert estimator.tokens(BODY) == 100
    assert estimator.max_cost(BODY) == pytest.approx((100 * 10 + 50 * 100) / 1e6)
    for counted, expected in ((300, 300), (200, 300), (None, 300)):
        estimator.learn(BODY, _answer(prompt_tokens=counted).completion)
        assert estimator.tokens(BODY) == expected
    assert CostEstimator(None).max_cost(BODY) is None


def test_total_of_several_fits():
    assert total_usage([None, None]) is None
    first = _record(PRICE, _answer(seconds=1.0), _answer(seconds=1.0), sent=3)
    second = _record(PRICE, _answer(seconds=4.0), sent=0) | {"models": ["another"], "statuses": {"ok": 1, "refused": 2}}
    total = total_usage([first, None, second])
    assert (total.answers, total.sent, total.prompt_tokens, total.completion_tokens) == (3, 3, 300, 30)
    assert (total.cost, total.seconds_median) == (pytest.approx(0.006), 4.0)
    assert (total.models, total.statuses) == (["another", "m"], {"ok": 3, "refused": 2})
    assert total_usage([first, second | {"cost": None}]).cost is None


@pytest.mark.parametrize(
    "change",
    [
        {"answers": 10**400},
        {"answers": "1"},
        {"sent": -1},
        {"sent": True},
        {"cost": -1.0},
        {"cost": float("nan")},
        {"seconds_p95": 1e300},
        {"models": "m"},
        {"statuses": {"ok": -1}},
        {"best": 1},
    ],
)
def test_records_of_strangers_are_bounded(change):
    with pytest.raises(DataError, match="is not a result"):
        total_usage([_record(PRICE, _answer()) | change])


def test_service_options():
    with pytest.raises(EcdbenchError, match=r"concurrency must be a positive integer \(got 0\)"):
        Service(concurrency=0)
    with pytest.raises(EcdbenchError, match=r"timeout must be a positive number of seconds \(got -1\)"):
        Service(timeout=-1)
