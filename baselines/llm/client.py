"""An OpenAI-compatible endpoint, one request at a time."""

from __future__ import annotations

import json
import os
import time
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from ...benchmark.certificates import check_certificates
from ...benchmark.credentials import redact, remember_credential
from ...benchmark.errors import MissingExtraError, ModelError
from .failures import TransientError, error_message, is_too_long, translate_error
from .replies import Answer, Completion, read_completion
from .usage import estimate_tokens

if TYPE_CHECKING:
    import openai

DEFAULT_URL = "https://api.openai.com/v1"
_NO_KEY = "none"  # the openai package insists on a key
_MAX_QUOTE = 300  # characters of the endpoint's own words in a message
# Fields that not every endpoint accepts, with the words by which an error message refers to them.
_OPTIONAL_FIELDS = {
    "response_format": ("response_format", "json_schema", "structured output", "guided"),
    "temperature": ("temperature",),
    "seed": ("seed",),
    "max_tokens": ("max_tokens",),
}


def endpoint_url(base_url: str | None) -> str:
    """The URL as given, else `OPENAI_BASE_URL`, else OpenAI's.

    Raises:
        ModelError: it is not an http(s) URL, or contains credentials; the message does not repeat it.
    """
    url = os.environ.get("OPENAI_BASE_URL") or DEFAULT_URL if base_url is None else str(base_url)
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        parts = urlsplit("")
    is_clean = url.isascii() and url.isprintable() and " " not in url
    if parts.scheme not in ("http", "https") or not parts.hostname or not is_clean:
        raise ModelError("base_url is not a valid http(s) URL; write it like base_url=http://localhost:8000/v1.")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ModelError(
            "base_url must not contain credentials, a query or a fragment; pass the key through the environment "
            "variable that api_key_env names."
        )
    return url.rstrip("/")


def read_key(variable: str, url: str) -> str:
    """The API key in an environment variable; a placeholder for endpoints other than OpenAI if it is not set.

    Raises:
        ModelError: OpenAI needs a key and there is none, or the value cannot be a key.
    """
    key = os.environ.get(variable, "").strip()
    if not key and url == DEFAULT_URL:
        raise ModelError(
            f"{variable} is not set; set it to your API key for {url}, or use another endpoint (--set base_url=...)."
        )
    if not key.isprintable() or not key.isascii() or " " in key:
        raise ModelError(f"The value of {variable} is not an API key: it contains spaces or non-ASCII characters.")
    remember_credential(key)
    return key or _NO_KEY


class Endpoint:
    """A chat-completions endpoint. Neither a key nor the `openai` package is needed until something is sent.

    Args:
        url: base URL, up to `/v1`.
        key_variable: environment variable with the API key, which never appears in a message or a file.
        timeout: seconds to wait for an answer.
    """

    def __init__(self, url: str, key_variable: str, timeout: float) -> None:
        self.url, self.key_variable, self.timeout = url, key_variable, timeout
        self._refused_fields: set[str] = set()

    @cached_property
    def client(self) -> openai.AsyncOpenAI:
        """The client of the `openai` package, made at first use.

        Raises:
            MissingExtraError: `openai` is not installed.
            ModelError: there is no key.
        """
        try:
            import openai
        except ImportError as error:
            raise MissingExtraError("The model in-context", "llm") from error
        # No retries: the scheduler counts them, lets all requests wait together, and recognises broken answers.
        # No redirects: a request counted once would be sent more often, and the key with it.
        check_certificates()
        http_client = openai.DefaultAsyncHttpxClient(follow_redirects=False)
        return openai.AsyncOpenAI(
            base_url=self.url, api_key=self._key, timeout=self.timeout, max_retries=0, http_client=http_client
        )

    @cached_property
    def _key(self) -> str:
        return read_key(self.key_variable, self.url)

    async def close(self) -> None:
        """Close the connections, if any were opened."""
        if "client" in self.__dict__:
            await self.client.close()

    @property
    def left_out(self) -> tuple[str, ...]:
        """Fields that this endpoint has refused."""
        return tuple(sorted(self._refused_fields))

    def adapted(self, body: dict[str, Any]) -> dict[str, Any]:
        """A request body without the fields that this endpoint has refused."""
        sent = {name: value for name, value in body.items() if name not in self._refused_fields}
        if "max_tokens" in self._refused_fields:
            sent["max_completion_tokens"] = body["max_tokens"]
        return sent

    async def complete(self, body: dict[str, Any], key: str) -> tuple[Answer, dict[str, str]]:
        """Send one request. A field that the endpoint refuses is left out from then on.

        Args:
            body: the request body.
            key: the answer's key in the store. It is sent as `Idempotency-Key`: an endpoint that honours the header
                returns an answer that was lost on the way again instead of producing, and billing, another one.

        Returns:
            The answer and the response headers.

        Raises:
            TransientError: another attempt may succeed.
            RejectedError: this request cannot be answered.
            EcdbenchError: no request can be answered.
        """
        client = self.client
        import openai

        while True:
            sent, left_out, start = self.adapted(body), self.left_out, time.perf_counter()
            try:
                raw = await client.chat.completions.with_raw_response.create(
                    model=sent["model"],
                    messages=[],
                    extra_body=sent,  # unchecked: validating each message takes longer than everything else
                    extra_headers={"Idempotency-Key": "-".join([key, *left_out])},
                )
                headers, text = dict(raw.headers), raw.text
            except (openai.APIConnectionError, openai.APIStatusError) as error:
                if isinstance(error, openai.APIStatusError) and self._drop_refused_field(error, sent):
                    continue
                raise translate_error(error, self, estimate_tokens(sent["messages"])) from None  # it may quote the key
            response, completion = self._parse(text)
            return Answer(response, completion, time.perf_counter() - start, left_out=left_out), headers

    def scrub(self, text: object) -> str:
        """Words of the endpoint for a message: short, on one line, without the key."""
        return redact(" ".join(str(text).split()))[:_MAX_QUOTE].rstrip(".")

    def scrubbed(self, value: Any) -> Any:
        """A JSON value without the key, in case the endpoint echoes it."""
        if isinstance(value, dict):
            return {redact(name): self.scrubbed(item) for name, item in value.items()}
        if isinstance(value, list):
            return [self.scrubbed(item) for item in value]
        return redact(value) if isinstance(value, str) else value

    def _parse(self, text: str) -> tuple[dict[str, Any], Completion]:
        """The completion in a response with status 200, as JSON and read."""
        try:
            response = json.loads(text)
        except (ValueError, RecursionError) as error:
            if text.lstrip()[:1] == "<":
                raise TransientError("returned a web page; check base_url, which usually ends in /v1") from error
            raise TransientError("returned incomplete JSON", may_be_billed=True) from error
        try:
            json.dumps(response)
            response = self.scrubbed(response)
            return response, read_completion(response)
        except (ValueError, RecursionError) as error:
            problem = response.get("error") if isinstance(response, dict) else None
            quoted = f": {self.scrub(problem)}" if problem else ""
            raise TransientError(
                f"returned something other than a chat completion{quoted}", may_be_billed=True
            ) from error

    def _drop_refused_field(self, error: openai.APIStatusError, sent: dict[str, Any]) -> bool:
        """Leave out the optional field that an error is about; False where it is about none."""
        message = error_message(error).lower()
        if error.status_code not in (400, 422) or is_too_long(message):
            return False
        body = error.body if isinstance(error.body, dict) else {}
        positions = {
            name: min((message.find(word) for word in words if word in message), default=-1)
            for name, words in _OPTIONAL_FIELDS.items()
            if name in sent
        }
        named = [name for name in sorted(positions, key=positions.__getitem__) if positions[name] >= 0]
        if (param := str(body.get("param")).partition(".")[0]) in positions:
            named = [param]
        self._refused_fields |= set(named[:1])  # one at a time: the message may mention the others in passing
        return bool(named)
