"""What each way of failing means, for one question or for all."""

from __future__ import annotations

import contextlib
import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Protocol

from ...benchmark.errors import EcdbenchError, ModelError, ServiceError
from .replies import FILTERED

if TYPE_CHECKING:
    import openai

_FOREVER = 1e9
TOO_LONG = re.compile(
    r"context.?(length|window|size)|maximum.{0,20}(context|length)|too many tokens|prompt is too long|"
    r"longer than the maximum|exceeds?.{0,40}tokens",
    re.IGNORECASE | re.DOTALL,
)
_NO_VISION = re.compile(r"image|vision|multi-?modal", re.IGNORECASE)
_FILTER = re.compile(r"content.?(filter|policy|management)|responsible.?ai|safety", re.IGNORECASE)
_QUOTA = re.compile(r"insufficient_quota|billing|exceeded your current quota", re.IGNORECASE)


class TransientError(Exception):
    """It may go better later.

    Attributes:
        wait: seconds after which the endpoint wants to be asked again; None where it does not say.
        limited: whether the endpoint is there and only wants to be asked less.
        maybe_paid: whether the endpoint may have worked for it, and bill it.
    """

    def __init__(self, reason: str, wait: float | None = None, limited: bool = False, maybe_paid: bool = False) -> None:
        super().__init__(reason)
        self.wait, self.limited, self.maybe_paid = wait, limited, maybe_paid


class RejectedError(Exception):
    """This question has no answer; others may have one.

    Attributes:
        status: the status of the row.
        remedy: why, and what to do.
        fatal: what to raise where it is so for every question.
        transient: whether it may be otherwise later.
    """

    def __init__(self, status: str, remedy: str, fatal: EcdbenchError | None = None, transient: bool = False) -> None:
        super().__init__(remedy)
        self.status, self.remedy, self.transient = status, remedy, transient
        self.fatal = fatal or ModelError(remedy)


class Place(Protocol):
    """Who answered, as a message names it: its address, the variable that holds its key, its words without the key."""

    url: str
    variable: str

    def scrub(self, text: object) -> str:
        """A text of the service for a message."""
        ...


def meaning(error: openai.APIStatusError, place: Place, tokens: int) -> Exception:
    """What to raise for an answer that is an error.

    Args:
        error: what the client raised.
        place: who answered.
        tokens: about how many the request has.
    """
    url, status, said = place.url, error.status_code, what_is_said(error)
    quoted = f"'{place.scrub(said)}'"
    if 300 <= status < 400:
        target = place.scrub(error.response.headers.get("location", "elsewhere"))
        return ModelError(f"{url} sends on to {target}; give the address of the API itself as base_url.")
    if status in (401, 403):
        where = f"check {place.variable}, which holds it"
        return ModelError(f"{url} refuses the key ({status}, {quoted}); {where}.")
    if status == 404:
        where = "check --set model and base_url, which mostly ends in /v1"
        return ModelError(f"{url} knows no such model or address ({quoted}); {where}.")
    if status == 429 and _QUOTA.search(said):
        return ServiceError(f"{url} says that the quota is used up ({quoted}); the answers so far are kept.")
    if status in (408, 409, 429) or status >= 500:
        limited = status == 429
        return TransientError(f"answers {status} ({quoted})", retry_after(error.response.headers), limited)
    return _rejection(url, status, said, quoted, tokens)


def _rejection(url: str, status: int, said: str, quoted: str, tokens: int) -> RejectedError:
    """What a request did wrong that others may not."""
    if TOO_LONG.search(said):
        remedy = "use fewer examples (--set shots=...) or a shorter tier (--text single)"
        much = f"A prompt of about {tokens:,} tokens is longer than the model reads ({quoted})"
        return RejectedError("error", f"{much}; {remedy}.")
    if _FILTER.search(said):
        return RejectedError(FILTERED, f"{url} filters what is asked ({quoted}).")
    if _NO_VISION.search(said):
        return RejectedError("error", f"The model takes no images ({quoted}); leave them out: --set image=false.")
    return RejectedError("error", f"{url} refuses the request ({status}, {quoted}).")


def what_is_said(error: openai.APIStatusError) -> str:
    """What the endpoint says of an error, without the request that some echo."""
    body = error.body if isinstance(error.body, dict) else {}
    detail = body.get("detail")
    if isinstance(detail, list):  # of FastAPI
        entries = [entry for entry in detail if isinstance(entry, dict)]
        return "; ".join(f"{entry.get('loc', '')} {entry.get('msg', '')}" for entry in entries)
    said = " ".join(str(body[name]) for name in ("message", "code", "type", "detail") if body.get(name))
    return said or error.response.text or str(error)


def retry_after(headers: Any) -> float | None:
    """Seconds that a `Retry-After` header asks for, written as a number or as a date."""
    text = headers.get("retry-after", "")
    with contextlib.suppress(ValueError):
        return min(max(0.0, float(text)), _FOREVER) if float(text) == float(text) else None
    with contextlib.suppress(ValueError, TypeError):
        return max(0.0, (parsedate_to_datetime(text) - datetime.now(UTC)).total_seconds())
    return None
