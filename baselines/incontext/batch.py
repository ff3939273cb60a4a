"""The provider's batch interface: cheaper, and answered within a day."""

from __future__ import annotations

import asyncio
import hashlib
import json
import tempfile
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from ...benchmark.errors import ModelError, ServiceError
from .asking import Asking, Question
from .store import Answer, answer_key

_MOST_LINES, _MOST_BYTES = 50_000, 100_000_000
_FIRST_POLL, _LAST_POLL = 1.0, 60.0
_OVER = ("completed", "failed", "expired", "cancelled")


class Batches:
    """Sends questions in batches and keeps the answers; what a batch leaves open is asked directly afterwards.

    A batch carries the hash of its lines, so the same command finds one that it sent before it was interrupted.
    """

    def __init__(self, asking: Asking) -> None:
        self._asking, self._endpoint, self._store = asking, asking.endpoint, asking.store
        self._budget, self._progress = asking.service.budget, asking.progress

    async def ask(self, questions: Callable[[], Iterator[Question]]) -> None:
        """Answer what is not answered yet, batch after batch. The first question is asked directly: what the endpoint
        does not take, or a wrong key, is known in seconds instead of hours.

        Raises:
            ModelError: the endpoint has no batch interface.
            ServiceError: it does not answer.
        """
        import openai

        await self._asking.ask(islice(questions(), 1), 1, lambda question, answer: None)
        try:
            with tempfile.TemporaryDirectory() as folder:
                for path, bodies in self._files(self._open(questions()), Path(folder)):
                    await self._run(path, bodies)
        except (openai.NotFoundError, openai.BadRequestError, openai.PermissionDeniedError) as error:
            if getattr(error, "status_code", 0) == 404:
                raise ModelError(f"{self._endpoint.url} has no batch interface; leave out --batch.") from None
            raise ServiceError(f"{self._endpoint.url} refuses the batch ('{self._endpoint.scrub(error)}').") from None
        except openai.APIError as error:
            raise ServiceError(
                f"{self._endpoint.url} does not answer about the batch ('{self._endpoint.scrub(error)}'); the same "
                "command finds it again."
            ) from None

    def _open(self, questions: Iterable[Question]) -> Iterator[Question]:
        """Those that are not answered yet."""
        for question in questions:
            if self._store.get(answer_key(self._endpoint.url, question.body, question.sample)) is None:
                yield question

    def _files(self, questions: Iterable[Question], folder: Path) -> Iterator[tuple[Path, dict[str, dict[str, Any]]]]:
        """Files of open questions, as large as a batch may be, and the requests in them by key."""
        path, size = folder / "batch.jsonl", 0
        bodies: dict[str, dict[str, Any]] = {}
        file = path.open("w", encoding="utf-8")
        for question in questions:
            key = answer_key(self._endpoint.url, question.body, question.sample)
            estimate = self._asking.estimated_cost(question.body, batch=True)
            if key in bodies:
                continue
            if self._budget.refusal(estimate):
                break  # asked directly, where the bound is told
            body = self._endpoint.adapted(question.body)
            line = json.dumps({"custom_id": key, "method": "POST", "url": "/v1/chat/completions", "body": body}) + "\n"
            if bodies and (len(bodies) >= _MOST_LINES or size + len(line) > _MOST_BYTES):
                file.close()
                yield path, bodies
                file, size, bodies = path.open("w", encoding="utf-8"), 0, {}
            file.write(line)
            size, bodies[key] = size + len(line), _without_content(body)
            self._budget.promise(estimate)
            self._budget.settle(estimate, estimate)
        file.close()
        if bodies:
            yield path, bodies

    async def _run(self, path: Path, bodies: dict[str, dict[str, Any]]) -> None:
        """One batch, from the file to the store."""
        client = self._endpoint.client
        digest = hashlib.sha256(path.read_bytes()).hexdigest()[:32]
        batch = await self._sent_before(digest)
        if batch is None:
            with path.open("rb") as lines:
                uploaded = await client.files.create(file=(path.name, lines), purpose="batch")
            batch = await client.batches.create(
                input_file_id=uploaded.id,
                endpoint="/v1/chat/completions",
                completion_window="24h",
                metadata={"ecdbench": digest},
            )
        wait = _FIRST_POLL
        while batch.status not in _OVER:
            counts = batch.request_counts
            self._progress(counts.completed if counts else 0, len(bodies), f"batch {batch.status}")
            await asyncio.sleep(wait)
            wait = min(wait * 1.5, _LAST_POLL)
            batch = await client.batches.retrieve(batch.id)
        if batch.output_file_id:
            content = await client.files.content(batch.output_file_id)
            self._store.put(self._answers(content.text, bodies))

    async def _sent_before(self, digest: str) -> Any:
        async for batch in self._endpoint.client.batches.list(limit=100):
            is_of_use = batch.output_file_id or batch.status not in ("failed", "cancelled", "expired")
            if is_of_use and (batch.metadata or {}).get("ecdbench") == digest:
                return batch
        return None

    def _answers(
        self, text: str, bodies: dict[str, dict[str, Any]]
    ) -> Iterator[tuple[str, str, dict[str, Any], Answer]]:
        for line in text.splitlines():
            try:
                entry = json.loads(line)
                key, response = entry["custom_id"], entry["response"]
                body = response["body"]
            except (ValueError, KeyError, TypeError):
                continue
            if key in bodies and response.get("status_code") == 200 and body.get("choices"):
                asked = bodies[key]
                answer = Answer(self._endpoint.scrubbed(body), None, True, "response_format" in asked)
                yield key, self._endpoint.url, asked, answer


def _without_content(body: dict[str, Any]) -> dict[str, Any]:
    """A request without its messages, to remember many of."""
    return {name: value for name, value in body.items() if name != "messages"}
