"""The provider's batch interface: cheaper, and answered within a day."""

from __future__ import annotations

import asyncio
import hashlib
import json
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from .failures import translate_batch_error
from .replies import Answer, read_completion
from .scheduler import Request, RequestScheduler
from .store import answer_key

_MAX_REQUESTS, _MAX_BYTES = 50_000, 100_000_000  # per batch
_FIRST_POLL_INTERVAL, _MAX_POLL_INTERVAL = 1.0, 60.0  # seconds
_RUNNING = ("validating", "in_progress", "finalizing", "cancelling")


@dataclass(frozen=True)
class _Batch:
    """The requests of a batch.

    Attributes:
        keys: their keys in the store.
        fields: what their bodies have in common.
        left_out: fields that the endpoint had refused.
    """

    keys: list[str]
    fields: dict[str, Any]
    left_out: list[str]

    @property
    def digest(self) -> str:
        return hashlib.sha256(" ".join(self.keys).encode()).hexdigest()[:32]


class BatchRunner:
    """Sends requests in batches and stores the answers; what a batch leaves unanswered is sent directly afterwards.

    A batch is noted in the store, with its requests, before it is created, and carries their hash: after an interrupt
    it is found again, whatever else the next command asks.
    """

    def __init__(self, scheduler: RequestScheduler) -> None:
        self._scheduler, self._endpoint, self._store = scheduler, scheduler.endpoint, scheduler.store
        self._budget, self._estimator = scheduler.service.budget, scheduler.estimator

    async def run(self, requests: Callable[[], Iterator[Request]]) -> None:
        """Answer what is not in the store yet, batch after batch.

        The first request is sent directly: a wrong key or an unsupported field shows in seconds instead of hours.

        Raises:
            ModelError: the endpoint has no batch interface.
            ServiceError: it does not answer.
        """
        import openai

        try:
            await self._resume(requests)
            await self._scheduler.run(lambda: islice(requests(), 1), 1, lambda request, answer: None)
            with tempfile.TemporaryDirectory() as folder:
                for path, batch in self._files(self._unanswered(requests()), Path(folder)):
                    await self._create(path, batch)
        except openai.APIError as error:
            raise translate_batch_error(error, self._endpoint) from None

    async def _resume(self, requests: Callable[[], Iterator[Request]]) -> None:
        """Finish batches that an interrupted command created, if they contain requests of this one."""
        noted = self._store.batches(self._endpoint.url)
        wanted = {self._key(request) for request in requests()} if noted else set()
        for digest, known_id, content in noted:
            batch = _Batch(**json.loads(content))
            if wanted.isdisjoint(batch.keys):
                continue
            batch_id = known_id or await self._find_id(digest)
            if batch_id is None:  # it was never created
                self._store.remove_batch(digest)
            else:
                await self._finish(batch_id, batch)

    def _key(self, request: Request) -> str:
        return answer_key(self._endpoint.url, request.body, request.sample)

    def _unanswered(self, requests: Iterable[Request]) -> Iterator[Request]:
        for request in requests:
            if self._key(request) not in self._store:
                yield request

    def _files(self, requests: Iterable[Request], folder: Path) -> Iterator[tuple[Path, _Batch]]:
        """Write files of requests, as large as a batch may be."""
        path, size = folder / "batch.jsonl", 0
        batch = _Batch([], {}, list(self._endpoint.left_out))
        file, seen = path.open("w", encoding="utf-8"), set()
        for request in requests:
            key = self._key(request)
            estimate = self._estimator.max_cost(request.body, batch=True)
            if key in seen:
                continue
            if self._budget.refusal(estimate):
                break  # the requests sent directly will report the bound
            body = self._endpoint.adapted(request.body)
            line = json.dumps({"custom_id": key, "method": "POST", "url": "/v1/chat/completions", "body": body}) + "\n"
            if batch.keys and (len(batch.keys) >= _MAX_REQUESTS or size + len(line) > _MAX_BYTES):
                file.close()
                yield path, batch
                file, size, batch = path.open("w", encoding="utf-8"), 0, _Batch([], {}, batch.left_out)
            file.write(line)
            size += len(line)
            seen.add(key)
            batch.keys.append(key)
            batch.fields.update({name: value for name, value in body.items() if name not in ("messages", "seed")})
            self._budget.reserve(estimate)
            self._budget.settle(estimate, estimate)
        file.close()
        if batch.keys:
            yield path, batch

    async def _create(self, path: Path, batch: _Batch) -> None:
        """Send a batch and store its answers."""
        client = self._endpoint.client
        self._store.add_batch(batch.digest, self._endpoint.url, json.dumps(vars(batch)))
        with path.open("rb") as lines:
            uploaded = await client.files.create(file=(path.name, lines), purpose="batch")
        created = await client.batches.create(
            input_file_id=uploaded.id,
            endpoint="/v1/chat/completions",
            completion_window="24h",
            metadata={"ecdbench": batch.digest},
        )
        self._store.set_batch_id(batch.digest, created.id)
        await self._finish(created.id, batch)

    async def _finish(self, batch_id: str, batch: _Batch) -> None:
        """Wait for a batch and store its answers."""
        client, interval = self._endpoint.client, _FIRST_POLL_INTERVAL
        state = await client.batches.retrieve(batch_id)
        while state.status in _RUNNING:
            completed = state.request_counts.completed if state.request_counts else 0
            self._scheduler.progress(completed, len(batch.keys), f"batch {state.status}")
            await asyncio.sleep(interval)
            interval = min(interval * 1.5, _MAX_POLL_INTERVAL)
            state = await client.batches.retrieve(batch_id)
        if state.output_file_id:
            content = await client.files.content(state.output_file_id)
            self._store.put(self._answers(content.text, batch))
        self._store.remove_batch(batch.digest)

    async def _find_id(self, digest: str) -> str | None:
        """The id of a batch with a given hash, if an interrupt came between creating it and noting its id."""
        async for state in self._endpoint.client.batches.list(limit=100):
            if (state.metadata or {}).get("ecdbench") == digest:
                return state.id
        return None

    def _answers(self, text: str, batch: _Batch) -> Iterator[tuple[str, str, dict[str, Any], Answer]]:
        """The complete answers in the output of a batch; the other requests are sent directly."""
        keys = set(batch.keys)
        for line in text.splitlines():
            try:
                entry = json.loads(line)
                key, result = entry["custom_id"], entry["response"]
                is_answer = isinstance(key, str) and key in keys and result["status_code"] == 200
                response = self._endpoint.scrubbed(result["body"])
                completion = read_completion(response)
            except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
                continue
            if is_answer:
                answer = Answer(response, completion, None, batch=True, left_out=tuple(batch.left_out))
                yield key, self._endpoint.url, batch.fields, answer
