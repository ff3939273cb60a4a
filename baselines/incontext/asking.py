"""Ask many questions at once: concurrently, patiently, within a budget, and none of them twice."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, wait_random_exponential

from ...benchmark.errors import EcdbenchError, ServiceError
from ...benchmark.service import Service
from .endpoint import Endpoint
from .failures import RejectedError, TransientError
from .pace import Pace
from .prices import Price
from .replies import FILTERED
from .store import Answer, AnswerStore, answer_key
from .tokens import estimate_tokens
from .usage import answer_cost

_FIRST_TRIES, _TRIES = 3, 8  # of one question, before and after the endpoint has answered anything
_DOUBTS = 3  # questions in a row that get no answer before anything else does
_GRACE, _LOOK_AGAIN = 30.0, 0.5  # how much longer than an answer a claim lasts; how often another's is looked at
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
class _State:
    """How one pass over the questions goes."""

    total: int
    done: int = 0
    answered: int = 0  # answers, kept and new
    new: int = 0
    in_a_row: int = 0  # questions without an answer since the last one
    reason: Exception | None = None  # why the last one has none
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
        self._state = _State(0)
        self._scale = 1.0  # tokens as counted by the endpoint over tokens as estimated, the largest so far

    async def ask(
        self,
        questions: Callable[[], Iterator[Question]],
        total: int,
        deliver: Callable[[Question, Answer | RejectedError], None],
    ) -> None:
        """Ask all questions; each answer is delivered as it comes, from the store or from the endpoint.

        Args:
            questions: makes them, one at a time, as they are needed.
            total: how many.
            deliver: takes an answer, or why there is none.

        Raises:
            BudgetReachedError: the budget does not allow the next one.
            ServiceError: the endpoint does not answer.
            ModelError: it never will.
        """
        self._state, self._stop = _State(total), None
        ready: asyncio.Queue[Question | None] = asyncio.Queue(self.service.concurrency)
        supply = asyncio.create_task(self._supply(questions(), ready))
        await asyncio.gather(*(self._work(ready, deliver) for _ in range(self.service.concurrency)))
        supply.cancel()
        if isinstance(self._stop, BudgetReachedError):
            kept = f"{self._state.answered} of {total} answers are kept"
            raise BudgetReachedError(f"Stopped: {self._stop}. {kept}; the same command again goes on.")
        if self._stop is not None:
            raise self._stop
        if not self._state.answered and self._state.reason is not None:
            raise self._state.reason

    async def _supply(self, questions: Iterator[Question], ready: asyncio.Queue[Question | None]) -> None:
        """Make questions while others are in flight, a few ahead; None for each worker at the end."""
        try:
            for question in questions:
                await ready.put(question)
        except Exception as error:  # noqa: BLE001 - it is raised when what is in flight has come
            self._stop = self._stop or error
        for _ in range(self.service.concurrency):
            await ready.put(None)

    async def _work(
        self, ready: asyncio.Queue[Question | None], deliver: Callable[[Question, Answer | RejectedError], None]
    ) -> None:
        while (question := await ready.get()) is not None:
            outcome: Answer | RejectedError | None = None
            try:
                outcome = await self._answer(question)
                self._state.answered, self._state.in_a_row = self._state.answered + 1, 0
            except RejectedError as rejected:
                outcome = rejected
                self._doubt(rejected)
            except Exception as error:  # noqa: BLE001 - the others finish what they have in flight, then it is raised
                self._stop = self._stop or error
            if outcome is not None:
                deliver(question, outcome)
                self._state.done += 1
                self.progress(self._state.done, self._state.total, self._words())
            if self._stop is not None:
                return

    def _doubt(self, rejected: RejectedError) -> None:
        """A question without an answer is an error of its row, until there are too many of them and nothing else."""
        if rejected.status == FILTERED:
            return
        self._state.in_a_row += 1
        self._state.reason = rejected.fatal
        patience = max(_DOUBTS, self.service.concurrency) if self._state.answered else _DOUBTS
        if self._state.in_a_row >= patience and (rejected.transient or not self._state.answered):
            self._stop = self._stop or rejected.fatal

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
        """The answer to a question that is not in the store; another process may be asking it already."""
        while not self.store.claim(key, self.service.timeout + _GRACE):
            await asyncio.sleep(_LOOK_AGAIN)
            if (kept := self.store.get(key)) is not None:
                return kept
            if self._stop is not None:
                raise self._stop
        try:
            return self.store.get(key) or await self._ask_for(key, body)
        except BaseException:
            self.store.release(key)  # one whose answer is kept is never looked at again
            raise

    async def _ask_for(self, key: str, body: dict[str, Any]) -> Answer:
        tries = AsyncRetrying(
            retry=retry_if_exception_type(TransientError), stop=self._gives_up, wait=self._wait, reraise=True
        )
        try:
            async for attempt in tries:
                with attempt:
                    if attempt.retry_state.attempt_number > 1:
                        self.store.claim(key, self.service.timeout + _GRACE)
                    answer, headers = await self._send(key, body)
        except TransientError as error:
            went = "Answers so far are kept: the same command goes on when it works again."
            nothing = "Nothing was answered: check --set model and base_url, and whether the service is up."
            fatal = ServiceError(f"{self.endpoint.url} {error}. {went if self._state.answered else nothing}")
            raise RejectedError("error", str(error), fatal, transient=True) from error
        self._state.new, self._state.last_answer = self._state.new + 1, time.monotonic()
        self._pace.heed(headers, self._tokens(body)[0] + self._tokens(body)[1])
        await asyncio.sleep(0)  # answers that are here already are kept before more is asked
        return answer

    async def _send(self, key: str, body: dict[str, Any]) -> tuple[Answer, dict[str, str]]:
        """One request within the budget; its answer is kept before anything else happens."""
        while True:
            await self._pace.ready()
            estimate = self.estimated_cost(body)
            refusal = self._budget.refusal(estimate)
            is_first = self._budget.max_cost is not None and not self._state.new  # its tokens correct the estimate
            if not self._budget.in_flight or not (refusal or is_first):
                break
            await asyncio.sleep(0.02)  # what is in flight may cost less than was promised
        if self._stop is not None:
            raise self._stop
        if refusal:
            raise BudgetReachedError(refusal)
        self._budget.promise(estimate)
        cost: float | None = 0.0
        try:
            response, headers, seconds = await self.endpoint.complete(body, key)
            answer = Answer(response, seconds, left_out=self.endpoint.left_out)
            self.store.put([(key, self.endpoint.url, self.endpoint.adapted(body), answer)])
            cost = answer_cost(self._price, answer.completion)
            self.learn(body, answer)
            return answer, headers
        except TransientError as error:
            cost = None if error.maybe_paid else 0.0
            raise
        finally:
            self._budget.settle(estimate, estimate if cost is None else cost)

    def _tokens(self, body: dict[str, Any]) -> tuple[int, int]:
        """About how many tokens a request sends, and how many it may receive."""
        return self.estimated_tokens(body), int(body["max_tokens"])

    def learn(self, body: dict[str, Any], answer: Answer) -> None:
        """Correct the estimate of tokens by an answer."""
        self._scale = max(self._scale, (answer.completion.prompt_tokens or 0) / estimate_tokens(body["messages"]))

    def estimated_tokens(self, body: dict[str, Any]) -> int:
        """About how many tokens a request sends."""
        return round(estimate_tokens(body["messages"]) * self._scale)

    def estimated_cost(self, body: dict[str, Any], batch: bool = False) -> float | None:
        """What an answer of full length would cost, about; None where the price is unknown."""
        return None if self._price is None else self._price.cost(*self._tokens(body), batch=batch)

    def _gives_up(self, state: RetryCallState) -> bool:
        error = state.outcome.exception() if state.outcome else None
        if self._stop is not None:
            return True
        if isinstance(error, TransientError) and error.limited:
            too_long = error.wait is not None and error.wait > _LONGEST_WAIT
            return too_long or time.monotonic() - self._state.last_answer > _PATIENCE
        return state.attempt_number >= (_TRIES if self._state.answered else _FIRST_TRIES)

    def _wait(self, state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        wait = float(wait_random_exponential(multiplier=0.2, min=0.05, max=30.0)(state))
        if isinstance(error, TransientError) and (error.wait is not None or error.limited):
            self._pace.hold(max(wait, error.wait or 0.0))
            return 0.0  # the pace holds everybody back
        return wait

    def _words(self) -> str:
        state = self._state
        if not state.new:
            return "answers kept from before"
        rate = state.new / max(time.monotonic() - state.start, 1e-9)
        cost = "" if self._price is None else f", ${self._budget.cost:.4f}"
        return f"{rate:.2g} answers/s{cost}, {_clock((state.total - state.done) / rate)} left"


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min" if minutes else f"{rest} s"
