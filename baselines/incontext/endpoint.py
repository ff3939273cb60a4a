"""One request to an OpenAI-compatible endpoint, and what each way of failing means."""

from __future__ import annotations

import contextlib
import json
import os
import re
import time
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from ...benchmark.errors import EcdbenchError, MissingExtraError, ModelError, ServiceError
from .completion import read_completion
from .replies import FILTERED
from .tokens import estimate_tokens

if TYPE_CHECKING:
    import openai

DEFAULT = "https://api.openai.com/v1"
NO_KEY = "none"  # the client wants a word
_QUOTED = 300
_SHORTEST_KEY = 8
_FOREVER = 1e9
# Fields that not every endpoint knows: what a refusal names, and what takes the field's place.
_OPTIONAL = {
    "response_format": ("response_format", "json_schema", "structured output", "guided"),
    "temperature": ("temperature",),
    "seed": ("seed",),
    "max_tokens": ("max_tokens",),
}
_TOO_LONG = re.compile(
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


def endpoint_url(base_url: str | None) -> str:
    """Where requests go: as given, or `OPENAI_BASE_URL`, or OpenAI.

    Raises:
        ModelError: it is no http address, or holds a password.
    """
    url = os.environ.get("OPENAI_BASE_URL") or DEFAULT if base_url is None else str(base_url)
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        parts = urlsplit("")
    is_clean = url.isascii() and url.isprintable() and " " not in url
    if parts.scheme not in ("http", "https") or not parts.hostname or not is_clean:
        raise ModelError("base_url is no address; write it as in base_url=http://localhost:8000/v1.")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ModelError("base_url holds more than an address; give a key through the variable that api_key_env names.")
    return url.rstrip("/")


def read_key(variable: str, endpoint: str) -> str:
    """The key in an environment variable; a word that stands for none where an endpoint may need no key.

    Raises:
        ModelError: OpenAI needs one and there is none, or it cannot be a key.
    """
    key = os.environ.get(variable, "").strip()
    if not key and endpoint == DEFAULT:
        raise ModelError(
            f"{variable} holds no key; set it to your key for {endpoint}, or ask another endpoint (--set base_url=...)."
        )
    if not key.isprintable() or not key.isascii() or " " in key:
        raise ModelError(f"What {variable} holds is no key: it has blanks or letters that no key has.")
    return key or NO_KEY


class Endpoint:
    """A chat-completions endpoint.

    Neither a key nor the `openai` package is needed until something is sent.

    Args:
        url: its address, up to `/v1`.
        variable: the environment variable that holds the key, which never appears in a message.
        timeout: seconds to wait for an answer.
    """

    def __init__(self, url: str, variable: str, timeout: float) -> None:
        self.url = url
        self._variable, self._timeout = variable, timeout
        self._without: set[str] = set()

    @cached_property
    def client(self) -> openai.AsyncOpenAI:
        """The client; made when it is first needed.

        Raises:
            MissingExtraError: `openai` is not installed.
            ModelError: there is no key.
        """
        try:
            import openai
        except ImportError as error:
            raise MissingExtraError("The model in-context", "llm") from error
        # Retries are ours: they count, they wait for all, and they know what a broken answer is.
        # A request that is sent on to another address would be counted once and sent often, with the key.
        web = openai.DefaultAsyncHttpxClient(follow_redirects=False)
        return openai.AsyncOpenAI(
            base_url=self.url, api_key=self._key, timeout=self._timeout, max_retries=0, http_client=web
        )

    @cached_property
    def _key(self) -> str:
        return read_key(self._variable, self.url)

    async def close(self) -> None:
        """Close the connections, if there are any."""
        if "client" in self.__dict__:
            await self.client.close()

    @property
    def left_out(self) -> tuple[str, ...]:
        """Fields that this endpoint has refused."""
        return tuple(sorted(self._without))

    def adapted(self, body: dict[str, Any]) -> dict[str, Any]:
        """A request without the fields that this endpoint has refused."""
        sent = {name: value for name, value in body.items() if name not in self._without}
        if "max_tokens" in self._without:
            sent["max_completion_tokens"] = body["max_tokens"]
        return sent

    async def complete(self, body: dict[str, Any], key: str) -> tuple[dict[str, Any], dict[str, str], float]:
        """Send a request; fields that the endpoint refuses are left out from then on.

        Args:
            body: the request.
            key: what it is kept under; sent as `Idempotency-Key`, so that an endpoint that knows the header gives an
                answer that was lost on its way again instead of making, and billing, another.

        Returns:
            The completion's JSON, the headers, and the seconds it took.

        Raises:
            TransientError: another try may succeed.
            RejectedError: this request cannot be answered.
            EcdbenchError: no request can be.
        """
        client = self.client
        import openai

        while True:
            sent = self.adapted(body)
            start = time.perf_counter()
            try:
                answer = await client.chat.completions.with_raw_response.create(
                    model=sent["model"],
                    messages=[],
                    extra_body=sent,  # as it is: to check each message against its types takes longer than all the rest
                    extra_headers={"Idempotency-Key": "-".join([key, *self.left_out])},
                )
                headers, text = dict(answer.headers), answer.text
            except openai.APITimeoutError as error:
                raise TransientError(f"gave no answer in {self._timeout:g} seconds", maybe_paid=True) from error
            except openai.APIConnectionError as error:
                raise TransientError(f"cannot be reached ({self.scrub(error.__cause__ or error)})") from error
            except openai.APIStatusError as error:
                if self._drop_refused(error, sent):
                    continue
                raise self._meaning(error, sent) from None  # what the library says may hold the key
            return self._completion(text), headers, time.perf_counter() - start

    def scrub(self, text: object) -> str:
        """A text of the service for a message: short, on one line, without the key."""
        return self._without_key(" ".join(str(text).split()))[:_QUOTED].rstrip(".")

    def scrubbed(self, value: Any) -> Any:
        """A response without the key, should it echo it."""
        if isinstance(value, dict):
            return {name: self.scrubbed(item) for name, item in value.items()}
        if isinstance(value, list):
            return [self.scrubbed(item) for item in value]
        return self._without_key(value) if isinstance(value, str) else value

    def _without_key(self, text: str) -> str:
        """Words of a few letters stand for no key, and are in every text."""
        return text.replace(self._key, "[key]") if len(self._key) >= _SHORTEST_KEY else text

    def _completion(self, text: str) -> dict[str, Any]:
        try:
            found = json.loads(text)
        except (ValueError, RecursionError) as error:
            if text.lstrip()[:1] == "<":
                raise TransientError("answers with a web page; is base_url right, with /v1 at its end?") from error
            raise TransientError("gave an answer that is not whole JSON", maybe_paid=True) from error
        try:
            read_completion(found)
            json.dumps(found)
            return self.scrubbed(found)
        except (ValueError, RecursionError) as error:
            problem = found.get("error") if isinstance(found, dict) else None
            said = f": {self.scrub(problem)}" if problem else ""
            raise TransientError(f"gave an answer that is no chat completion{said}", maybe_paid=True) from error

    def _drop_refused(self, error: openai.APIStatusError, sent: dict[str, Any]) -> bool:
        """Whether the error names an optional field; it is then left out."""
        said = _said(error).lower()
        if error.status_code not in (400, 422) or _TOO_LONG.search(said):
            return False
        body = error.body if isinstance(error.body, dict) else {}
        places = {
            name: min((said.find(word) for word in words if word in said), default=-1)
            for name, words in _OPTIONAL.items()
            if name in sent
        }
        named = [name for name in sorted(places, key=places.__getitem__) if places[name] >= 0]
        if (param := str(body.get("param")).partition(".")[0]) in places:
            named = [param]
        self._without |= set(named[:1])  # one at a time: the rest may be only what is said around it
        return bool(named)

    def _meaning(self, error: openai.APIStatusError, sent: dict[str, Any]) -> Exception:
        status, said = error.status_code, _said(error)
        quoted = f"'{self.scrub(said)}'"
        if 300 <= status < 400:
            place = self.scrub(error.response.headers.get("location", "elsewhere"))
            return ModelError(f"{self.url} sends on to {place}; give the address of the API itself as base_url.")
        if status in (401, 403):
            where = f"check {self._variable}, which holds it"
            return ModelError(f"{self.url} refuses the key ({status}, {quoted}); {where}.")
        if status == 404:
            where = "check --set model and base_url, which mostly ends in /v1"
            return ModelError(f"{self.url} knows no such model or address ({quoted}); {where}.")
        if status == 429 and _QUOTA.search(said):
            return ServiceError(f"{self.url} says that the quota is used up ({quoted}); the answers so far are kept.")
        if status in (408, 409, 429) or status >= 500:
            limited = status == 429
            return TransientError(f"answers {status} ({quoted})", _retry_after(error.response.headers), limited)
        return self._rejection(status, said, quoted, estimate_tokens(sent["messages"]))

    def _rejection(self, status: int, said: str, quoted: str, tokens: int) -> RejectedError:
        """What a request did wrong that others may not."""
        if _TOO_LONG.search(said):
            remedy = "use fewer examples (--set shots=...) or a shorter tier (--text single)"
            much = f"A prompt of about {tokens:,} tokens is longer than the model reads ({quoted})"
            return RejectedError("error", f"{much}; {remedy}.")
        if _FILTER.search(said):
            return RejectedError(FILTERED, f"{self.url} filters what is asked ({quoted}).")
        if _NO_VISION.search(said):
            return RejectedError("error", f"The model takes no images ({quoted}); leave them out: --set image=false.")
        return RejectedError("error", f"{self.url} refuses the request ({status}, {quoted}).")


def _said(error: openai.APIStatusError) -> str:
    """What the endpoint says of an error, without the request that some echo."""
    body = error.body if isinstance(error.body, dict) else {}
    detail = body.get("detail")
    if isinstance(detail, list):  # of FastAPI
        entries = [entry for entry in detail if isinstance(entry, dict)]
        return "; ".join(f"{entry.get('loc', '')} {entry.get('msg', '')}" for entry in entries)
    said = " ".join(str(body[name]) for name in ("message", "code", "type", "detail") if body.get(name))
    return said or error.response.text or str(error)


def _retry_after(headers: Any) -> float | None:
    """Seconds that a `Retry-After` header asks for, written as a number or as a date."""
    text = headers.get("retry-after", "")
    with contextlib.suppress(ValueError):
        return min(max(0.0, float(text)), _FOREVER) if float(text) == float(text) else None
    with contextlib.suppress(ValueError, TypeError):
        return max(0.0, (parsedate_to_datetime(text) - datetime.now(UTC)).total_seconds())
    return None


def duration(text: str) -> float | None:
    """Seconds of a duration as rate-limit headers write it: `6m0s`, `1.5s`, `20ms`, or a bare number."""
    found = re.findall(r"([\d.]+)(ms|h|m|s)", text)
    scale = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3}
    try:
        return sum(float(number) * scale[unit] for number, unit in found) if found else float(text)
    except ValueError:
        return None
