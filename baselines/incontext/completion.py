"""A chat completion as endpoints give it, read without trusting any of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

_MOST_TOKENS = 10**9


@dataclass(frozen=True)
class Completion:
    """What a completion says.

    Attributes:
        text: the reply.
        end: why it ended, as in `stop` or `length`.
        refused: whether the model declined, by the field for it.
        model: the model's name as returned.
        prompt_tokens: tokens sent; None where they are not counted.
        completion_tokens: tokens received; likewise.
        cached_tokens: tokens of the prompt that are billed as cached.
    """

    text: str
    end: str | None
    refused: bool
    model: str | None
    prompt_tokens: int | None
    completion_tokens: int | None
    cached_tokens: int


def read_completion(response: Any) -> Completion:
    """Read a completion.

    Raises:
        ValueError: it has no choice with a message.
    """
    found = response if isinstance(response, dict) else {}
    choices = found.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices and isinstance(choices[0], dict) else {}
    message = choice.get("message")
    if not isinstance(message, dict):
        raise ValueError("no chat completion")
    usage = found["usage"] if isinstance(found.get("usage"), dict) else {}
    details = usage.get("prompt_tokens_details")
    sent = _count(usage.get("prompt_tokens"))
    cached = _count(details.get("cached_tokens")) if isinstance(details, dict) else None
    return Completion(
        text=_text(message.get("content")),
        end=choice["finish_reason"] if isinstance(choice.get("finish_reason"), str) else None,
        refused=bool(message.get("refusal")),
        model=_clean(found["model"]) if isinstance(found.get("model"), str) else None,
        prompt_tokens=sent,
        completion_tokens=_count(usage.get("completion_tokens")),
        cached_tokens=min(cached or 0, sent or 0),
    )


def _text(content: Any) -> str:
    """The text of a message, which some servers give in parts."""
    if isinstance(content, list):
        parts = [part.get("text") for part in content if isinstance(part, dict)]
        return _clean("".join(part for part in parts if isinstance(part, str)))
    return _clean(content) if isinstance(content, str) else ""


def _clean(text: str) -> str:
    """A text that can be written: without halves of characters that a bound on tokens cut apart."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _count(value: Any) -> int | None:
    """A number of tokens; None for what is none."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _MOST_TOKENS:
        return None
    return int(value) if value == int(value) else None
