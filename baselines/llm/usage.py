"""What answers cost: the bounds of a run, prices, estimates before a request, and the record after it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import numpy as np
import yaml
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from ...benchmark.errors import DataError, EcdbenchError
from ...benchmark.results import Amount, Count

if TYPE_CHECKING:
    from ...benchmark.results import Result
    from .replies import Answer, Completion

_CHARACTERS_PER_TOKEN = 4
_TOKENS_PER_MESSAGE = 4
_TOKENS_PER_IMAGE = 255  # one tile of 512 x 512 at OpenAI; other services count 64 to 1,200


@dataclass
class Budget:
    """What one command may send and spend, shared by all its fits.

    Attributes:
        max_requests: maximum number of requests, repeated ones included; None for no bound.
        max_cost: maximum cost in dollars; None for no bound.
        requests: requests sent.
        cost: dollars spent on answers whose price is known.
        reserved: dollars that the requests in flight may cost.
        in_flight: number of requests in flight.
    """

    max_requests: int | None = None
    max_cost: float | None = None
    requests: int = 0
    cost: float = 0.0
    reserved: float = 0.0
    in_flight: int = 0

    def refusal(self, estimate: float | None) -> str | None:
        """Why a request that may cost `estimate` dollars must not be sent; None if it may."""
        if self.max_requests is not None and self.requests >= self.max_requests:
            return f"--max-requests {self.max_requests} is reached"
        if self.max_cost is not None and self.cost + self.reserved + (estimate or 0.0) > self.max_cost:
            return f"--max-cost {self.max_cost:g} would be exceeded (${self.cost:.4f} spent)"
        return None

    def reserve(self, estimate: float | None) -> None:
        """Count a request that is about to be sent."""
        self.requests += 1
        self.in_flight += 1
        self.reserved += estimate or 0.0

    def settle(self, estimate: float | None, cost: float | None) -> None:
        """Replace the estimate of a request that has ended by what it cost."""
        self.in_flight -= 1
        self.reserved = self.reserved - (estimate or 0.0) if self.in_flight else 0.0  # no rounding errors left over
        self.cost += cost or 0.0


@dataclass(frozen=True)
class Service:
    """How a model behind a service is queried. Nothing here changes an answer.

    Attributes:
        store: file of all answers; None for `answers.sqlite` in the folder that all runs share.
        concurrency: maximum number of requests in flight.
        timeout: seconds to wait for one answer.
        batch: whether to use the provider's batch interface.
        prices: file with the user's own prices.
        budget: what may be sent and spent.

    Raises:
        EcdbenchError: concurrency or timeout is not positive.
    """

    store: Path | None = None
    concurrency: int = 8
    timeout: float = 120.0
    batch: bool = False
    prices: Path | None = None
    budget: Budget = field(default_factory=Budget)

    def state(self) -> dict[str, float]:
        """What has been sent and spent, for the process that evaluates."""
        return {"requests": self.budget.requests, "cost": self.budget.cost}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take over what a fit in another process has sent and spent."""
        self.budget.requests, self.budget.cost = int(state["requests"]), float(state["cost"])

    def __post_init__(self) -> None:
        if not isinstance(self.concurrency, int) or self.concurrency < 1:
            raise EcdbenchError(f"concurrency must be a positive integer (got {self.concurrency!r}).")
        if not self.timeout > 0:
            raise EcdbenchError(f"timeout must be a positive number of seconds (got {self.timeout!r}).")


class Price(BaseModel):
    """Dollars per million tokens, for the models and endpoints whose names match two shell patterns."""

    model_config = ConfigDict(extra="forbid")

    model: str
    endpoint: str = "*"
    input: float = Field(ge=0)
    output: float = Field(ge=0)
    cached_input: float | None = Field(default=None, ge=0)
    batch: float = Field(default=1.0, ge=0)

    def cost(self, sent: int | None, received: int | None, cached: int = 0, batch: bool = False) -> float | None:
        """Dollars for an answer; None where tokens are not counted.

        Args:
            sent: tokens of the prompt.
            received: tokens of the reply.
            cached: how many of those sent are billed as cached.
            batch: whether the answer came from a batch.
        """
        if sent is None or received is None:
            return None
        cached_price = self.input if self.cached_input is None else self.cached_input
        dollars = (sent - cached) * self.input + cached * cached_price + received * self.output
        return dollars / 1e6 * (self.batch if batch else 1.0)


def find_price(url: str, model: str, user_file: Path | None = None) -> Price | None:
    """The price of a model at an endpoint, from the user's file or else the packaged one; None if it is not known.

    Raises:
        DataError: the user's file is not a price table.
    """
    host = urlsplit(url).hostname or ""
    entries = [*(_read_prices(user_file) if user_file else []), *_read_prices(Path(__file__).parent / "prices.yaml")]
    matching = (p for p in entries if fnmatchcase(model, p.model) and fnmatchcase(host, p.endpoint))
    return next(matching, None)


def _read_prices(path: Path) -> list[Price]:
    try:
        return TypeAdapter(list[Price]).validate_python(yaml.safe_load(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise DataError(f"There is no price table {path}; give a yaml file, or leave out --prices.") from error
    except (ValidationError, yaml.YAMLError, UnicodeDecodeError) as error:
        reason = error.errors()[0]["msg"] if isinstance(error, ValidationError) else "it is not valid yaml"
        raise DataError(
            f"{path} is not a price table ({reason}); write entries like `- {{model: name, input: 1.0, output: 2.0}}`, "
            "in dollars per million tokens."
        ) from error


def estimate_tokens(messages: list[dict[str, Any]]) -> int:
    """A rough token count of some messages: four characters a token, 255 tokens an image."""
    tokens = 0
    for message in messages:
        parts = message["content"]
        texts = [parts] if isinstance(parts, str) else [part.get("text", "") for part in parts]
        images = 0 if isinstance(parts, str) else sum(part["type"] == "image_url" for part in parts)
        characters = sum(len(text) for text in texts)
        tokens += _TOKENS_PER_MESSAGE + images * _TOKENS_PER_IMAGE + characters // _CHARACTERS_PER_TOKEN
    return tokens


def answer_cost(price: Price | None, completion: Completion, batch: bool = False) -> float | None:
    """Dollars for an answer; None if its price or its tokens are not known."""
    sent, received, cached = completion.prompt_tokens, completion.completion_tokens, completion.cached_tokens
    return None if price is None else price.cost(sent, received, cached, batch)


class CostEstimator:
    """Estimates tokens and cost of requests; answers correct the estimates upwards.

    Attributes:
        price: of the model; None if it is not known.
    """

    def __init__(self, price: Price | None) -> None:
        self.price = price
        self._scale = 1.0  # tokens as the endpoint counted them over the rough count, the largest ratio so far

    def learn(self, body: dict[str, Any], completion: Completion) -> None:
        """Correct the estimates by an answer to a request."""
        self._scale = max(self._scale, (completion.prompt_tokens or 0) / estimate_tokens(body["messages"]))

    def tokens(self, body: dict[str, Any]) -> int:
        """Estimated tokens of a request's prompt."""
        return round(estimate_tokens(body["messages"]) * self._scale)

    def max_cost(self, body: dict[str, Any], batch: bool = False) -> float | None:
        """Estimated dollars for an answer of maximum length; None if the price is not known."""
        return None if self.price is None else self.price.cost(self.tokens(body), int(body["max_tokens"]), batch=batch)


class Usage(BaseModel):
    """What a model behind a service took.

    Attributes:
        answers: answers that the predictions rest on, whenever they were paid for.
        sent: requests sent by this run, repeated ones included; 0 if all answers were in the store.
        prompt_tokens: tokens sent for the answers, as the service counts them; None where it does not.
        completion_tokens: tokens received; likewise.
        cost: dollars for the answers; None if a price is not known.
        seconds_median: median seconds from request to answer; None where unknown.
        seconds_p95: 95th percentile of the same.
        models: names of the model as the service returned them.
        statuses: number of requests by how they ended.
        cut: number of replies that reached their maximum length.
    """

    model_config = ConfigDict(extra="forbid", strict=True)

    answers: Count
    sent: Count
    prompt_tokens: Count | None
    completion_tokens: Count | None
    cost: Amount | None
    seconds_median: Amount | None
    seconds_p95: Amount | None
    models: list[str]
    statuses: dict[str, Count]
    cut: Count = 0


@dataclass
class UsageCounter:
    """Adds up what the answers of a fit took; eight bytes of memory an answer.

    Attributes:
        price: of the model; None if it is not known.
    """

    price: Price | None
    answers: int = 0
    prompt_tokens: int | None = 0
    completion_tokens: int | None = 0
    cost: float | None = 0.0
    cut: int = 0
    seconds: list[float] = field(default_factory=list)
    models: set[str] = field(default_factory=set)
    statuses: Counter[str] = field(default_factory=Counter)

    def add(self, answer: Answer, is_cut: bool) -> None:
        """Count an answer."""
        completion = answer.completion
        self.answers += 1
        self.prompt_tokens = _sum(self.prompt_tokens, completion.prompt_tokens)
        self.completion_tokens = _sum(self.completion_tokens, completion.completion_tokens)
        self.cost = _sum(self.cost, answer_cost(self.price, completion, answer.batch))
        self.cut += is_cut
        if answer.seconds is not None:
            self.seconds.append(answer.seconds)
        self.models.add(completion.model or "not stated")

    def usage(self, sent: int) -> Usage:
        """The record, given the number of requests sent."""
        median, p95 = np.percentile(self.seconds, [50, 95]).round(3).tolist() if self.seconds else (None, None)
        return Usage(
            answers=self.answers,
            sent=sent,
            prompt_tokens=self.prompt_tokens,
            completion_tokens=self.completion_tokens,
            cost=self.cost if self.answers else None,
            seconds_median=median,
            seconds_p95=p95,
            models=sorted(self.models),
            statuses=dict(self.statuses),
            cut=self.cut,
        )


def total_usage(parts: Iterable[Mapping[str, Any] | None]) -> Usage | None:
    """The usage of several fits together, None if no fit used a service; latencies are the largest of theirs.

    Raises:
        DataError: a record is not of the form of `Usage`.
    """
    try:
        used = [Usage.model_validate(part) for part in parts if part is not None]
        if not used:
            return None
        statuses: Counter[str] = Counter()
        for usage in used:
            statuses.update(usage.statuses)
        return Usage(
            answers=sum(usage.answers for usage in used),
            sent=sum(usage.sent for usage in used),
            prompt_tokens=_total(usage.prompt_tokens for usage in used),
            completion_tokens=_total(usage.completion_tokens for usage in used),
            cost=_total(usage.cost for usage in used),
            seconds_median=_largest(usage.seconds_median for usage in used),
            seconds_p95=_largest(usage.seconds_p95 for usage in used),
            models=sorted({model for usage in used for model in usage.models}),
            statuses=dict(statuses),
            cut=sum(usage.cut for usage in used),
        )
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(name)[:60] for name in first["loc"])
        reason = f"{where}: {first['msg']}"
        raise DataError(f"The usage record is not a result of a run ({reason}); evaluate the model again.") from error


def usage_of(result: Result) -> Usage | None:
    """The usage of a run. Raises DataError, as `total_usage`."""
    return total_usage(fit.usage for fit in result.fits)


def _sum(total: Any, more: Any) -> Any:
    """None if either is."""
    return None if total is None or more is None else total + more


def _total(values: Iterable[float | None]) -> Any:
    return reduce(_sum, values, 0)


def _largest(values: Iterable[float | None]) -> float | None:
    return max((value for value in values if value is not None), default=None)
