"""Ask many questions at once: concurrently, patiently, within a budget, and none of them twice."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, wait_random_exponential

from ...benchmark.errors import EcdbenchError, ServiceError
from ...benchmark.service import Service
from .endpoint import Endpoint, RejectedError, TransientError
from .pace import Pace
from .prices import Price
from .store import Answer, AnswerStore, answer_key
from .tokens import estimate_tokens

_T = TypeVar("_T")
_FIRST_TRIES, _TRIES = 3, 8  # of one question, before and after the endpoint has answered anything
_PATIENCE = 900.0  # seconds of nothing but "too many requests"
_LONGEST_WAIT = 600.0


class BudgetReachedError(EcdbenchError):
    """The command's own bound is reached; what was answered is kept."""


@dataclass(frozen=True)
class Question:
    """A request, and the row it is about.

    Attributes:
        row: where the answer goes.
        body: the request.
        sample: number of the sample, where a question is asked more than once.
    """

    row: int
    body: dict[str, Any]
    sample: int = 0


@dataclass
class _Progress:
    done: int = 0
    new: int = 0
    in_a_row: int = 0  # questions given up since the last answer
    start: float = field(default_factory=time.monotonic)
    last_answer: float = field(default_factory=time.monotonic)


class Asking:
    """Questions to one endpoint.

    Args:
        endpoint: where they go.
        store: where answers are kept.
        service: how many at once, and what they may cost.
        price: of the model; None where unknown.
        progress: called with questions done, all, and a few words.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        store: AnswerStore,
        service: Service,
        price: Price | None,
        progress: Callable[[int, int, str], None],
    ) -> None:
        self.endpoint, self.store, self.service = endpoint, store, service
        self._price, self._budget = price, service.budget
        self.progress, self._pace = progress, Pace()
        self._pending: dict[str, asyncio.Task[Answer]] = {}
        self._stop: Exception | None = None
        self._state = _Progress()

    async def ask(
        self, questions: Iterable[Question], total: int, deliver: Callable[[Question, Answer | RejectedError], None]
    ) -> None:
        """Ask all questions; each answer is delivered as it comes, from the store or from the endpoint.

        Args:
            questions: made one at a time, as they are needed.
            total: how many.
            deliver: takes an answer, or why there is none.

        Raises:
            BudgetReachedError: the budget does not allow the next one.
            ServiceError: the endpoint does not answer.
            ModelError: it never will.
        """
        supply = iter(questions)
        workers = [self._work(supply, total, deliver) for _ in range(max(1, self.service.concurrency))]
        await asyncio.gather(*workers)
        if isinstance(self._stop, BudgetReachedError):
            kept = f"{self._state.done} of {total} answers of this part are kept"
            raise BudgetReachedError(f"Stopped: {self._stop}. {kept}; the same command again goes on.")
        if self._stop is not None:
            raise self._stop

    async def _work(
        self, supply: Iterator[Question], total: int, deliver: Callable[[Question, Answer | RejectedError], None]
    ) -> None:
        for question in supply:
            try:
                answer: Answer | RejectedError = await self._answer(question)
            except RejectedError as rejected:
                answer = rejected
            except Exception as error:  # noqa: BLE001 - the others finish what they have in flight, then it is raised
                self._stop = self._stop or error
            if self._stop is not None:
                return
            deliver(question, answer)
            self._state.done += 1
            self.progress(self._state.done, total, self._words(total))

    async def _answer(self, question: Question) -> Answer:
        key = answer_key(self.endpoint.url, question.body, question.sample)
        if (kept := self.store.get(key)) is not None:
            await asyncio.sleep(0)  # a long row of kept answers must not starve what is in flight
            return kept
        task = self._pending.get(key)
        if task is None:  # equal questions are one
            task = self._pending[key] = asyncio.create_task(self._fetch(key, question.body))
            task.add_done_callback(lambda _: self._pending.pop(key, None))
        return await task

    async def _fetch(self, key: str, body: dict[str, Any]) -> Answer:
        tokens = estimate_tokens(body["messages"]) + int(body["max_tokens"])
        tries = AsyncRetrying(
            retry=retry_if_exception_type(TransientError), stop=self._gives_up, wait=self._wait, reraise=True
        )
        try:
            async for attempt in tries:
                with attempt:
                    response, headers, seconds = await self._send(key, body)
        except TransientError as error:
            raise self._given_up(error) from error
        except RejectedError as error:
            if self._state.new == 0:  # not this question, but all of them
                raise EcdbenchError(error.remedy) from error
            raise
        sent = self.endpoint.adapted(body)
        answer = Answer(response, seconds, as_schema="response_format" in sent)
        self.store.put([(key, self.endpoint.url, sent, answer)])
        self._state.new, self._state.in_a_row, self._state.last_answer = self._state.new + 1, 0, time.monotonic()
        self._pace.heed(headers, tokens)
        await asyncio.sleep(0)  # answers that are here already are kept before more is asked
        return replace(answer, is_new=True)

    async def _send(self, key: str, body: dict[str, Any]) -> tuple[dict[str, Any], dict[str, str], float]:
        """One request within the budget."""
        estimate = self.estimated_cost(body)
        await self._pace.ready()
        while (refusal := self._budget.refusal(estimate)) and self._budget.in_flight:
            await asyncio.sleep(0.02)  # what is in flight may cost less than was promised
        if self._stop is not None:
            raise self._stop
        if refusal:
            raise BudgetReachedError(refusal)
        self._budget.promise(estimate)
        cost = None
        try:
            response, headers, seconds = await self.endpoint.complete(body, key)
            cost = None if self._price is None else self._price.cost(response.get("usage") or {})
            return response, headers, seconds
        finally:
            self._budget.settle(estimate, cost)

    def estimated_cost(self, body: dict[str, Any], batch: bool = False) -> float | None:
        """What an answer of full length would cost, about; None where the price is unknown."""
        if self._price is None:
            return None
        sent, received = estimate_tokens(body["messages"]), int(body["max_tokens"])
        return self._price.cost({"prompt_tokens": sent, "completion_tokens": received}, batch)

    def _gives_up(self, state: RetryCallState) -> bool:
        error = state.outcome.exception() if state.outcome else None
        if self._stop is not None:
            return True
        if isinstance(error, TransientError) and error.limited:
            too_long = error.wait is not None and error.wait > _LONGEST_WAIT
            return too_long or time.monotonic() - self._state.last_answer > _PATIENCE
        return state.attempt_number >= (_TRIES if self._state.new else _FIRST_TRIES)

    def _wait(self, state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        wait = float(wait_random_exponential(multiplier=0.5, min=0.05, max=30.0)(state))
        if isinstance(error, TransientError) and (error.wait is not None or error.limited):
            self._pace.hold(wait if error.wait is None else error.wait)
            return 0.0  # the pace holds everybody back
        return wait

    def _given_up(self, error: TransientError) -> Exception:
        """A question without an answer: by itself an error of its row, but not when nothing is answered any more."""
        self._state.in_a_row += 1
        if self._state.new and self._state.in_a_row < max(3, self.service.concurrency):
            return RejectedError("error", str(error))
        return ServiceError(
            f"{self.endpoint.url} {error}. Answers so far are kept: the same command goes on when it works again."
        )

    def _words(self, total: int) -> str:
        state = self._state
        if not state.new:
            return "answers kept from before"
        rate = state.new / max(time.monotonic() - state.start, 1e-9)
        left = (total - state.done) / rate
        cost = "" if self._price is None else f", ${self._budget.cost:.4f}"
        return f"{rate:.2g} answers/s{cost}, {_clock(left)} left"


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min" if minutes else f"{rest} s"


def run(task: Callable[[], Coroutine[Any, Any, _T]]) -> _T:
    """Run a coroutine to its end, also where an event loop is running already, as in a notebook."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(task())
    outcome: list[_T | BaseException] = []

    def work() -> None:
        try:
            outcome.append(asyncio.run(task()))
        except BaseException as error:  # noqa: BLE001 - it is raised again in the thread that waits
            outcome.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    if isinstance(outcome[0], BaseException):
        raise outcome[0]
    return outcome[0]
