"""Many requests at once: concurrent, retried, rate-limited, within a budget, and none of them paid for twice."""

from __future__ import annotations

import asyncio
import random
import re
import threading
import time
from collections.abc import Callable, Coroutine, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, wait_random_exponential

from ...benchmark.errors import EcdbenchError, ServiceError
from .client import Endpoint
from .failures import RejectedError, TransientError
from .replies import ERROR, FILTERED, Answer
from .store import AnswerStore, answer_key
from .usage import CostEstimator, Service, answer_cost

_MAX_FIRST_ATTEMPTS, _MAX_ATTEMPTS = 3, 8  # per request, before and after the endpoint has answered anything
_MAX_CONSECUTIVE_FAILURES = 3
_MAX_RATE_LIMITED = 900.0  # seconds without an answer before 429 responses end the run
_MAX_WAIT = 600.0  # seconds
_CLAIM_MARGIN = 30.0  # seconds by which a claim outlasts the timeout
_POLL_INTERVAL = 0.5  # seconds between looks at a request that another process has claimed
_BUDGET_POLL_INTERVAL = 0.02  # seconds between looks at a budget that requests in flight may relieve


class BudgetReachedError(EcdbenchError):
    """The command's own budget is used up; the answers so far are kept."""


@dataclass(frozen=True)
class Request:
    """A request about one row.

    Attributes:
        row: index of the row.
        body: JSON of the request.
        sample: sample number, where the same request is sent more than once.
    """

    row: int
    body: dict[str, Any]
    sample: int = 0


Collect = Callable[[Request, Answer | RejectedError], Any]


class RateLimit:
    """Holds all requests back together: one that is told to wait makes the others wait."""

    def __init__(self) -> None:
        self._until = 0.0

    async def wait(self) -> None:
        """Wait until a request may be sent."""
        while (left := self._until - time.monotonic()) > 0:
            await asyncio.sleep(left + random.uniform(0, 0.05) * left)  # noqa: S311 - spreads the requests

    def pause(self, seconds: float) -> None:
        """Send nothing for some time."""
        self._until = max(self._until, time.monotonic() + min(seconds, _MAX_WAIT))

    def update(self, headers: Mapping[str, str], tokens: int) -> None:
        """Pause if the quota in the headers of a response does not cover another request.

        Args:
            headers: `x-ratelimit-{limit,remaining,reset}-{requests,tokens}`, where the endpoint sends them.
            tokens: tokens of the next request.
        """
        for kind, need in (("requests", 1), ("tokens", tokens)):
            remaining = _parse_number(headers.get(f"x-ratelimit-remaining-{kind}"))
            limit = _parse_number(headers.get(f"x-ratelimit-limit-{kind}"))
            reset = _parse_duration(headers.get(f"x-ratelimit-reset-{kind}", ""))
            if remaining is None or reset is None or remaining >= need:
                continue
            # After `reset` the whole quota is available; the missing part is available sooner.
            share = 1.0 if limit is None or limit <= remaining else min(1.0, (need - remaining) / (limit - remaining))
            self.pause(reset * share)


@dataclass
class _State:
    """Progress of one call of `RequestScheduler.run`."""

    total: int
    done: int = 0
    answered: int = 0  # from the store or the endpoint
    received: int = 0  # from the endpoint
    consecutive_failures: int = 0
    last_failure: Exception | None = None
    start: float = field(default_factory=time.monotonic)
    last_answer: float = field(default_factory=time.monotonic)


class RequestScheduler:
    """Sends requests to one endpoint.

    Args:
        endpoint: where they go.
        store: where answers are kept.
        service: concurrency, timeout and budget.
        estimator: estimates what a request costs.
        progress: called with requests done, requests in all, and a few words.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        store: AnswerStore,
        service: Service,
        estimator: CostEstimator,
        progress: Callable[[int, int, str], None],
    ) -> None:
        self.endpoint, self.store, self.service, self.estimator = endpoint, store, service, estimator
        self.progress, self._budget, self._rate_limit = progress, service.budget, RateLimit()
        self._pending: dict[str, asyncio.Task[Answer]] = {}
        self._stop: Exception | None = None
        self._state = _State(0)

    async def run(self, requests: Callable[[], Iterator[Request]], total: int, collect: Collect) -> None:
        """Send all requests; each answer is collected as it arrives, from the store or the endpoint.

        Args:
            requests: generates the requests, as they are needed.
            total: how many there are.
            collect: takes a request and its answer, or the reason why there is none.

        Raises:
            BudgetReachedError: the budget does not cover the next request.
            ServiceError: the endpoint does not answer.
            ModelError: it cannot answer any request.
        """
        self._state, self._stop = _State(total), None
        queue: asyncio.Queue[Request | None] = asyncio.Queue(self.service.concurrency)
        producer = asyncio.create_task(self._produce(requests(), queue))
        await asyncio.gather(*(self._consume(queue, collect) for _ in range(self.service.concurrency)))
        producer.cancel()
        if isinstance(self._stop, BudgetReachedError):
            kept = f"{self._state.answered} of {total} answers are kept"
            raise BudgetReachedError(f"Stopped: {self._stop}. {kept}; the same command continues from there.")
        if self._stop is not None:
            raise self._stop
        if not self._state.answered and self._state.last_failure is not None:
            raise self._state.last_failure

    async def _produce(self, requests: Iterator[Request], queue: asyncio.Queue[Request | None]) -> None:
        """Build requests a few ahead of those in flight; then one None per worker."""
        try:
            for request in requests:
                await queue.put(request)
        except Exception as error:  # noqa: BLE001 - raised when the requests in flight have ended
            self._stop = self._stop or error
        for _ in range(self.service.concurrency):
            await queue.put(None)

    async def _consume(self, queue: asyncio.Queue[Request | None], collect: Collect) -> None:
        while (request := await queue.get()) is not None:
            outcome: Answer | RejectedError | None = None
            try:
                outcome = await self._answer(request)
                self._state.answered, self._state.consecutive_failures = self._state.answered + 1, 0
            except RejectedError as rejected:
                outcome = rejected
                self._count_failure(rejected)
            except Exception as error:  # noqa: BLE001 - raised when the other workers have ended
                self._stop = self._stop or error
            if outcome is not None:
                collect(request, outcome)
                self._state.done += 1
                self.progress(self._state.done, self._state.total, self._progress_text())
            if self._stop is not None:
                return

    def _count_failure(self, rejected: RejectedError) -> None:
        """A rejected request is an error of its row, unless too many in a row suggest that none can succeed."""
        if rejected.status == FILTERED:
            return
        self._state.consecutive_failures += 1
        self._state.last_failure = rejected.fatal
        most = max(_MAX_CONSECUTIVE_FAILURES, self.service.concurrency if self._state.answered else 0)
        if self._state.consecutive_failures >= most and (rejected.is_transient or not self._state.answered):
            self._stop = self._stop or rejected.fatal

    async def _answer(self, request: Request) -> Answer:
        key = answer_key(self.endpoint.url, request.body, request.sample)
        if (stored := self.store.get(key)) is not None:
            await asyncio.sleep(0)  # many stored answers in a row must not starve the requests in flight
            return stored
        task = self._pending.get(key)
        if task is None:  # equal requests share one task
            task = self._pending[key] = asyncio.create_task(self._fetch(key, request.body))
            task.add_done_callback(lambda _: self._pending.pop(key, None))
        return await task

    async def _fetch(self, key: str, body: dict[str, Any]) -> Answer:
        """The answer to a request that is not in the store; another process may be waiting for it already."""
        while not self.store.claim(key, self.service.timeout + _CLAIM_MARGIN):
            await asyncio.sleep(_POLL_INTERVAL)
            if (stored := self.store.get(key)) is not None:
                return stored
            if self._stop is not None:
                raise self._stop
        try:
            return self.store.get(key) or await self._send_with_retries(key, body)
        except BaseException:
            self.store.release(key)  # a claim whose answer is stored is never looked at again
            raise

    async def _send_with_retries(self, key: str, body: dict[str, Any]) -> Answer:
        retrying = AsyncRetrying(
            retry=retry_if_exception_type(TransientError), stop=self._gives_up, wait=self._wait, reraise=True
        )
        try:
            async for attempt in retrying:
                with attempt:
                    if attempt.retry_state.attempt_number > 1:
                        self.store.claim(key, self.service.timeout + _CLAIM_MARGIN)
                    answer, headers = await self._send(key, body)
        except TransientError as error:
            remedy = (
                "The answers so far are kept: the same command continues when the service works again."
                if self._state.answered
                else "Nothing was answered: check --set model and base_url, and whether the service is up."
            )
            fatal = ServiceError(f"{self.endpoint.url} {error}. {remedy}")
            raise RejectedError(ERROR, str(error), fatal, is_transient=True) from error
        self._state.received, self._state.last_answer = self._state.received + 1, time.monotonic()
        self._rate_limit.update(headers, self.estimator.tokens(body) + int(body["max_tokens"]))
        await asyncio.sleep(0)  # store the answers that have arrived before sending more
        return answer

    async def _send(self, key: str, body: dict[str, Any]) -> tuple[Answer, dict[str, str]]:
        """Send one request within the budget; its answer is stored before anything else happens."""
        while True:
            await self._rate_limit.wait()
            estimate = self.estimator.max_cost(body)
            refusal = self._budget.refusal(estimate)
            is_first = self._budget.max_cost is not None and not self._state.received  # it corrects the estimates
            if not self._budget.in_flight or not (refusal or is_first):
                break
            await asyncio.sleep(_BUDGET_POLL_INTERVAL)  # the requests in flight may cost less than reserved
        if self._stop is not None:
            raise self._stop
        if refusal:
            raise BudgetReachedError(refusal)
        self._budget.reserve(estimate)
        cost: float | None = 0.0
        try:
            answer, headers = await self.endpoint.complete(body, key)
            self.store.put([(key, self.endpoint.url, self.endpoint.adapted(body), answer)])
            cost = answer_cost(self.estimator.price, answer.completion)
            self.estimator.learn(body, answer.completion)
            return answer, headers
        except TransientError as error:
            cost = None if error.may_be_billed else 0.0
            raise
        finally:
            self._budget.settle(estimate, estimate if cost is None else cost)

    def _gives_up(self, state: RetryCallState) -> bool:
        error = state.outcome.exception() if state.outcome else None
        if self._stop is not None:
            return True
        if isinstance(error, TransientError) and error.is_rate_limit:
            is_too_long = error.retry_after is not None and error.retry_after > _MAX_WAIT
            return is_too_long or time.monotonic() - self._state.last_answer > _MAX_RATE_LIMITED
        return state.attempt_number >= (_MAX_ATTEMPTS if self._state.answered else _MAX_FIRST_ATTEMPTS)

    def _wait(self, state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        seconds = float(wait_random_exponential(multiplier=0.2, min=0.05, max=30.0)(state))
        if isinstance(error, TransientError) and (error.retry_after is not None or error.is_rate_limit):
            self._rate_limit.pause(max(seconds, error.retry_after or 0.0))
            return 0.0  # the rate limit makes everybody wait
        return seconds

    def _progress_text(self) -> str:
        state = self._state
        if not state.received:
            return "answers from the store"
        rate = state.received / max(time.monotonic() - state.start, 1e-9)
        cost = "" if self.estimator.price is None else f", ${self._budget.cost:.4f}"
        return f"{rate:.2g} answers/s{cost}, {_format_duration((state.total - state.done) / rate)} left"


def run_coroutine(make: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run a coroutine to its end, even inside a running event loop, as in a notebook."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        asyncio.run(make())
        return
    errors: list[BaseException] = []

    def run() -> None:
        try:
            asyncio.run(make())
        except BaseException as error:  # noqa: BLE001 - raised again in the waiting thread
            errors.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if errors:
        raise errors[0]


def _parse_number(text: str | None) -> float | None:
    try:
        return None if text is None else float(text)
    except ValueError:
        return None


def _parse_duration(text: str) -> float | None:
    """Seconds of a duration in a rate-limit header, such as `6m0s`, `1.5s`, `20ms`, or a bare number."""
    found = re.findall(r"([\d.]+)(ms|h|m|s)", text)
    scale = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3}
    try:
        return sum(float(number) * scale[unit] for number, unit in found) if found else float(text)
    except ValueError:
        return None


def _format_duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min" if minutes else f"{rest} s"
