"""One request to an OpenAI-compatible endpoint."""

from __future__ import annotations

import json
import time
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ...benchmark.errors import MissingExtraError
from .address import read_key
from .completion import read_completion
from .failures import TOO_LONG, TransientError, meaning, what_is_said
from .tokens import estimate_tokens

if TYPE_CHECKING:
    import openai

_QUOTED = 300
_SHORTEST_KEY = 8
# Fields that not every endpoint knows: what a refusal names, and what takes the field's place.
_OPTIONAL = {
    "response_format": ("response_format", "json_schema", "structured output", "guided"),
    "temperature": ("temperature",),
    "seed": ("seed",),
    "max_tokens": ("max_tokens",),
}


class Endpoint:
    """A chat-completions endpoint.

    Neither a key nor the `openai` package is needed until something is sent.

    Args:
        url: its address, up to `/v1`.
        variable: the environment variable that holds the key, which never appears in a message.
        timeout: seconds to wait for an answer.
    """

    def __init__(self, url: str, variable: str, timeout: float) -> None:
        self.url, self.variable, self._timeout = url, variable, timeout
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
        return read_key(self.variable, self.url)

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
                cause = error.__cause__ or error
                if "Connect" in type(cause).__name__:
                    raise TransientError(f"cannot be reached ({self.scrub(cause)})") from error
                raise TransientError(f"lost the connection ({self.scrub(cause)})", maybe_paid=True) from error
            except openai.APIStatusError as error:
                if self._drop_refused(error, sent):
                    continue
                raise meaning(
                    error, self, estimate_tokens(sent["messages"])
                ) from None  # what the library says may hold the key
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
        said = what_is_said(error).lower()
        if error.status_code not in (400, 422) or TOO_LONG.search(said):
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
