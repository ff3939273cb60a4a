"""What each way of failing means: for one request, or for all of them."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from ...benchmark.errors import EcdbenchError, ModelError, ServiceError
from .replies import ERROR, FILTERED

if TYPE_CHECKING:
    import openai

    from .client import Endpoint

_MAX_RETRY_AFTER = 1e9  # seconds
_TOO_LONG = re.compile(
    r"context.?(length|window|size)|maximum.{0,20}(context|length)|too many tokens|prompt is too long|"
    r"longer than the maximum|exceeds?.{0,40}tokens",
    re.IGNORECASE | re.DOTALL,
)
_NO_VISION = re.compile(r"image|vision|multi-?modal", re.IGNORECASE)
_CONTENT_FILTER = re.compile(r"content.?(filter|policy|management)|responsible.?ai|safety", re.IGNORECASE)
_QUOTA = re.compile(r"insufficient_quota|billing|exceeded your current quota", re.IGNORECASE)


class TransientError(Exception):
    """The request failed in a way that may pass; it is worth sending again.

    Attributes:
        retry_after: seconds to wait, where the endpoint says so.
        is_rate_limit: the endpoint works, and asks for fewer requests.
        may_be_billed: the endpoint may have produced, and may bill, an answer that never arrived.
    """

    def __init__(
        self, reason: str, retry_after: float | None = None, is_rate_limit: bool = False, may_be_billed: bool = False
    ) -> None:
        super().__init__(reason)
        self.retry_after, self.is_rate_limit, self.may_be_billed = retry_after, is_rate_limit, may_be_billed


class RejectedError(Exception):
    """This request has no answer; others may have one.

    Attributes:
        status: status of the row.
        reason: why, and what to do about it.
        fatal: what to raise if every request is rejected.
        is_transient: whether a later attempt may succeed.
    """

    def __init__(
        self, status: str, reason: str, fatal: EcdbenchError | None = None, is_transient: bool = False
    ) -> None:
        super().__init__(reason)
        self.status, self.reason, self.is_transient = status, reason, is_transient
        self.fatal = fatal or ModelError(reason)


def translate_error(
    error: openai.APIConnectionError | openai.APIStatusError, endpoint: Endpoint, tokens: int
) -> Exception:
    """What a failed request means.

    Args:
        error: as the `openai` package raised it.
        endpoint: where the request was sent.
        tokens: estimated length of the request.

    Returns:
        A `TransientError`, a `RejectedError`, or, where no request can succeed, an `EcdbenchError`.
    """
    import openai

    if isinstance(error, openai.APIStatusError):
        return _translate_status(error, endpoint, tokens)
    if isinstance(error, openai.APITimeoutError):
        return TransientError(f"did not answer within {endpoint.timeout:g} seconds", may_be_billed=True)
    cause = error.__cause__ or error
    if "Connect" in type(cause).__name__:
        return TransientError(f"cannot be reached ({endpoint.scrub(cause)})")
    return TransientError(f"lost the connection ({endpoint.scrub(cause) or type(cause).__name__})", may_be_billed=True)


def _translate_status(error: openai.APIStatusError, endpoint: Endpoint, tokens: int) -> Exception:
    url, status, message = endpoint.url, error.status_code, error_message(error)
    quoted = f"'{endpoint.scrub(message)}'"
    if 300 <= status < 400:
        target = endpoint.scrub(error.response.headers.get("location", "another address"))
        return ModelError(f"{url} redirects to {target}; give the URL of the API itself as base_url.")
    if status in (401, 403):
        return ModelError(f"{url} rejects the API key ({status}, {quoted}); check {endpoint.key_variable}.")
    if status == 404:
        remedy = "check --set model and base_url, which usually ends in /v1"
        return ModelError(f"{url} does not know this model or path ({quoted}); {remedy}.")
    if status == 429 and _QUOTA.search(message):
        return ServiceError(f"The quota at {url} is used up ({quoted}); the answers so far are kept.")
    if status in (408, 409, 429) or status >= 500:
        return TransientError(f"answers {status} ({quoted})", _retry_after(error.response.headers), status == 429)
    return _rejection(f"{url} rejects the request ({status}, {quoted}).", message, quoted, tokens)


def _rejection(otherwise: str, message: str, quoted: str, tokens: int) -> RejectedError:
    """What is wrong with one request, where others may be fine."""
    if is_too_long(message):
        remedy = "use fewer examples (--set shots=...) or a shorter text tier (--text single)"
        reason = f"The prompt, about {tokens:,} tokens, is too long for the model ({quoted}); {remedy}."
        return RejectedError(ERROR, reason)
    if _CONTENT_FILTER.search(message):
        return RejectedError(FILTERED, f"The endpoint's content filter blocked the prompt ({quoted}).")
    if _NO_VISION.search(message):
        return RejectedError(ERROR, f"The model does not accept images ({quoted}); leave them out: --set image=false.")
    return RejectedError(ERROR, otherwise)


def translate_batch_error(error: openai.APIError, endpoint: Endpoint) -> EcdbenchError:
    """What a failed request to the batch interface means."""
    import openai

    url, quoted = endpoint.url, f"'{endpoint.scrub(error)}'"
    if isinstance(error, openai.NotFoundError):
        return ModelError(f"{url} has no batch interface; leave out --batch.")
    if isinstance(error, openai.BadRequestError | openai.PermissionDeniedError):
        return ServiceError(f"{url} rejects the batch ({quoted}).")
    return ServiceError(f"The batch interface of {url} does not answer ({quoted}); the same command resumes the batch.")


def is_too_long(message: str) -> bool:
    """Whether an error message says that the prompt exceeds the model's context."""
    return _TOO_LONG.search(message) is not None


def error_message(error: openai.APIStatusError) -> str:
    """The message of an error response, without the request that some endpoints echo."""
    body = error.body if isinstance(error.body, dict) else {}
    detail = body.get("detail")
    if isinstance(detail, list):  # FastAPI
        entries = [entry for entry in detail if isinstance(entry, dict)]
        return "; ".join(f"{entry.get('loc', '')} {entry.get('msg', '')}" for entry in entries)
    message = " ".join(str(body[name]) for name in ("message", "code", "type", "detail") if body.get(name))
    return message or error.response.text or str(error)


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds in a `Retry-After` header, which holds a number or a date."""
    text = headers.get("retry-after", "")
    with contextlib.suppress(ValueError):
        return min(max(0.0, float(text)), _MAX_RETRY_AFTER) if float(text) == float(text) else None
    with contextlib.suppress(ValueError, TypeError):
        return max(0.0, (parsedate_to_datetime(text) - datetime.now(UTC)).total_seconds())
    return None
