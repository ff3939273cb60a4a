"""From a chat completion to a prediction: the completion, the number in its text, and the numbers of all rows."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from .quantities import find_number, find_probability
from .reading.answer_objects import NO_ANSWER, AnswerKeys
from .reading.refusals import is_refusal
from .reading.turns import read_text, without_thoughts

if TYPE_CHECKING:
    from .failures import RejectedError
    from .scheduler import Request
    from .usage import UsageCounter

OK, UNPARSED, REFUSED, FILTERED, ERROR = "ok", "unparsed", "refused", "filtered", "error"
_BY_SEVERITY = (OK, UNPARSED, REFUSED, FILTERED, ERROR)
_MAX_TOKENS = 10**9


@dataclass(frozen=True)
class Completion:
    """The parts of a chat completion that matter here.

    Attributes:
        text: the reply.
        finish_reason: as in `stop` or `length`.
        is_refusal: the model declined, in the field meant for that.
        model: name of the model as returned.
        prompt_tokens: tokens sent; None where they are not counted.
        completion_tokens: tokens received; likewise.
        cached_tokens: tokens of the prompt that are billed as cached.
    """

    text: str
    finish_reason: str | None
    is_refusal: bool
    model: str | None
    prompt_tokens: int | None
    completion_tokens: int | None
    cached_tokens: int


@dataclass(frozen=True)
class Answer:
    """A completion and how it was obtained.

    Attributes:
        response: the completion as JSON.
        completion: the same, read.
        seconds: from request to answer; None for a batch.
        batch: whether it came from a batch.
        left_out: fields of the request that the endpoint had refused and that were left out.
    """

    response: dict[str, Any]
    completion: Completion
    seconds: float | None
    batch: bool = False
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True)
class Reading:
    """The number in a reply.

    Attributes:
        status: `ok`, `unparsed`, `refused` or `filtered`.
        strict: the number, if the reply is exactly the JSON object that was asked for.
        flexible: the number, if there is one anywhere in the reply.
        is_cut: the reply reached its maximum length.
    """

    status: str
    strict: float | None = None
    flexible: float | None = None
    is_cut: bool = False


def read_completion(response: Any) -> Completion:
    """Read the JSON of a completion; fields of the wrong type count as absent.

    Raises:
        ValueError: it has no choice with a message.
    """
    found = response if isinstance(response, dict) else {}
    choices = found.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices and isinstance(choices[0], dict) else {}
    message = choice.get("message")
    if not isinstance(message, dict):
        raise ValueError("not a chat completion")
    usage = found["usage"] if isinstance(found.get("usage"), dict) else {}
    details = usage.get("prompt_tokens_details")
    sent = _token_count(usage.get("prompt_tokens"))
    cached = _token_count(details.get("cached_tokens")) if isinstance(details, dict) else None
    return Completion(
        text=_message_text(message.get("content")),
        finish_reason=choice["finish_reason"] if isinstance(choice.get("finish_reason"), str) else None,
        is_refusal=bool(message.get("refusal")),
        model=_encodable(found["model"]) if isinstance(found.get("model"), str) else None,
        prompt_tokens=sent,
        completion_tokens=_token_count(usage.get("completion_tokens")),
        cached_tokens=min(cached or 0, sent or 0),
    )


def _message_text(content: Any) -> str:
    """The text of a message, which some servers send in parts."""
    if isinstance(content, list):
        parts = [part.get("text") for part in content if isinstance(part, dict)]
        return _encodable("".join(part for part in parts if isinstance(part, str)))
    return _encodable(content) if isinstance(content, str) else ""


def _encodable(text: str) -> str:
    """Replace lone surrogates, the halves of characters that a token limit cut apart."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _token_count(value: Any) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _MAX_TOKENS:
        return None
    return int(value) if value == int(value) else None


def read_reply(
    completion: Completion, unit: str, is_probability: bool = False, target: str = "", description: str = ""
) -> Reading:
    """Find the number in a reply, strictly and flexibly.

    Args:
        completion: the completion with the reply.
        unit: unit of the target, into which numbers in other units are converted.
        is_probability: the number is a probability, possibly in percent; outside [0, 1] it does not count.
        target: name of the target, under which an object may give the number, too.
        description: what the target is.
    """
    if completion.finish_reason == "content_filter":
        return Reading(FILTERED)
    if completion.is_refusal:
        return Reading(REFUSED)
    is_cut = completion.finish_reason == "length"
    said = without_thoughts(completion.text)
    text = read_text(said)
    keys = AnswerKeys(target, description, is_probability)
    find = find_probability if is_probability else partial(find_number, unit=unit, about=keys.about)
    strict = _strict_value(said)
    flexible = _flexible_value(text, find, keys, is_cut) if strict is None else strict
    if flexible is not None and not (is_probability and not 0 <= flexible <= 1):
        return Reading(OK, strict, flexible, is_cut)
    return Reading(REFUSED if is_refusal(text) else UNPARSED, is_cut=is_cut)


def _strict_value(text: str) -> float | None:
    """The value of a JSON object whose only key is `value`."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return _finite(found["value"]) if isinstance(found, dict) and set(found) == {"value"} else None


def _flexible_value(text: str, find: Callable[[str], float | None], keys: AnswerKeys, is_cut: bool) -> float | None:
    """The value of the last JSON object that has one, else the number in the text; of a cut reply, only the former."""
    answer, rest = keys.read(text, only_whole=is_cut)
    if answer is not None:
        return None if answer == NO_ANSWER else find(answer)
    return None if is_cut else find(rest)


def _finite(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


class ResponseCollector:
    """The answers for a table of rows, read as they arrive.

    Args:
        n_rows: number of rows.
        read: reads a completion, such as `read_reply` for one unit.
        usage: counts what the answers took.
    """

    def __init__(self, n_rows: int, read: Callable[[Completion], Reading], usage: UsageCounter) -> None:
        self._read, self._usage = read, usage
        self._flexible: list[list[float]] = [[] for _ in range(n_rows)]
        self._strict: list[list[float]] = [[] for _ in range(n_rows)]
        self._has_cut_replies = False
        self.statuses = [OK] * n_rows
        self.rejections: list[str] = []
        self.left_out: set[str] = set()

    def add(self, request: Request, answer: Answer | RejectedError) -> dict[str, Any]:
        """Read one answer, or note why there is none; returns the line for `replies.jsonl`."""
        if not isinstance(answer, Answer):
            self.rejections.append(answer.reason)
            self._set_status(request.row, answer.status)
            return {"status": answer.status, "reason": answer.reason}
        completion = answer.completion
        reading = self._read(completion)
        self._usage.add(answer, reading.is_cut)
        self._has_cut_replies |= reading.is_cut
        self.left_out |= set(answer.left_out)
        if reading.flexible is not None:
            self._flexible[request.row].append(reading.flexible)
        if reading.strict is not None:
            self._strict[request.row].append(reading.strict)
        self._set_status(request.row, reading.status)
        return {
            "status": reading.status,
            "value": reading.flexible,
            "strict": reading.strict,
            "reply": completion.text,
            "model": completion.model,
            "seconds": answer.seconds,
            "tokens": [completion.prompt_tokens, completion.completion_tokens],
        }

    def medians(self, strict: bool = False) -> np.ndarray:
        """Median of each row's numbers, shape (n,); NaN for a row without any."""
        rows = self._strict if strict else self._flexible
        return np.array([np.median(values) if values else np.nan for values in rows], dtype=float)

    def deviations(self) -> np.ndarray:
        """Standard deviation of each row's numbers, shape (n,); NaN for a row with fewer than two."""
        return np.array(
            [np.std(np.sort(values), ddof=1) if len(values) > 1 else np.nan for values in self._flexible], dtype=float
        )

    def notes(self, max_tokens: int) -> list[str]:
        """Sentences that readers of the result should know."""
        found = []
        if self._has_cut_replies:
            found.append(
                f"Some replies were cut off at max_tokens={max_tokens}; they count only if they contain a complete "
                "JSON object."
            )
        if self.rejections:
            found.append(f"Some requests have no answer; the first reason: {self.rejections[0]}")
        if self.left_out:
            found.append(
                f"The endpoint does not accept {', '.join(sorted(self.left_out))}; requests were sent without."
            )
        return found

    def _set_status(self, row: int, status: str) -> None:
        """A row with a number is fine, whatever became of its other samples; else the most severe status counts."""
        self._usage.statuses[status] += 1
        worst = max(status, self.statuses[row], key=_BY_SEVERITY.index)
        self.statuses[row] = OK if self._flexible[row] else worst
