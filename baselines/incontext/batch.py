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

from ...benchmark.errors import ModelError, ServiceError
from .asking import Asking, Question
from .completion import read_completion
from .store import Answer, answer_key

_MOST_LINES, _MOST_BYTES = 50_000, 100_000_000
_FIRST_POLL, _LAST_POLL = 1.0, 60.0
_UNDER_WAY = ("validating", "in_progress", "finalizing", "cancelling")


@dataclass(frozen=True)
class _Sent:
    """A batch: the keys of its questions, what their requests have in common, and fields that were left out."""

    keys: list[str]
    fields: dict[str, Any]
    left_out: list[str]

    @property
    def digest(self) -> str:
        return hashlib.sha256(" ".join(self.keys).encode()).hexdigest()[:32]


class Batches:
    """Sends questions in batches and keeps the answers; what a batch leaves open is asked directly afterwards.

    A batch is written down before it is sent, with its questions, and carries their hash: after an interrupt it is
    found again, whatever the next command asks besides.
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

        try:
            await self._take_up(questions)
            await self._asking.ask(lambda: islice(questions(), 1), 1, lambda question, answer: None)
            with tempfile.TemporaryDirectory() as folder:
                for path, sent in self._files(self._open(questions()), Path(folder)):
                    await self._send(path, sent)
        except openai.NotFoundError:
            raise ModelError(f"{self._endpoint.url} has no batch interface; leave out --batch.") from None
        except (openai.BadRequestError, openai.PermissionDeniedError) as error:
            raise ServiceError(f"{self._endpoint.url} refuses the batch ('{self._endpoint.scrub(error)}').") from None
        except openai.APIError as error:
            raise ServiceError(
                f"{self._endpoint.url} does not answer about the batch ('{self._endpoint.scrub(error)}'); the same "
                "command finds it again."
            ) from None

    async def _take_up(self, questions: Callable[[], Iterator[Question]]) -> None:
        """Finish batches that an interrupted command sent, where they hold questions of this one."""
        query = "SELECT digest, id, requests FROM batches WHERE endpoint = ?"
        known = self._store.database.read(query, self._endpoint.url)
        wanted = {answer_key(self._endpoint.url, q.body, q.sample) for q in questions()} if known else set()
        for digest, noted, requests in known:
            sent = _Sent(**json.loads(requests))
            if wanted.isdisjoint(sent.keys):
                continue
            name = noted or await self._name_of(digest)
            if name is None:  # it was never sent
                self._forget(digest)
            else:
                await self._finish(name, sent)

    def _open(self, questions: Iterable[Question]) -> Iterator[Question]:
        """Those that are not answered yet."""
        for question in questions:
            if self._store.get(answer_key(self._endpoint.url, question.body, question.sample)) is None:
                yield question

    def _files(self, questions: Iterable[Question], folder: Path) -> Iterator[tuple[Path, _Sent]]:
        """Files of open questions, as large as a batch may be, and what is in them."""
        path, size = folder / "batch.jsonl", 0
        sent = _Sent([], {}, list(self._endpoint.left_out))
        file, seen = path.open("w", encoding="utf-8"), set()
        for question in questions:
            key = answer_key(self._endpoint.url, question.body, question.sample)
            estimate = self._asking.estimated_cost(question.body, batch=True)
            if key in seen:
                continue
            if self._budget.refusal(estimate):
                break  # asked directly, where the bound is told
            body = self._endpoint.adapted(question.body)
            line = json.dumps({"custom_id": key, "method": "POST", "url": "/v1/chat/completions", "body": body}) + "\n"
            if sent.keys and (len(sent.keys) >= _MOST_LINES or size + len(line) > _MOST_BYTES):
                file.close()
                yield path, sent
                file, size, sent = path.open("w", encoding="utf-8"), 0, _Sent([], {}, sent.left_out)
            file.write(line)
            size += len(line)
            seen.add(key)
            sent.keys.append(key)
            sent.fields.update({name: value for name, value in body.items() if name not in ("messages", "seed")})
            self._budget.promise(estimate)
            self._budget.settle(estimate, estimate)
        file.close()
        if sent.keys:
            yield path, sent

    async def _send(self, path: Path, sent: _Sent) -> None:
        """One batch, from the file to the store."""
        client, write = self._endpoint.client, self._store.database.write
        row = (sent.digest, self._endpoint.url, json.dumps(vars(sent)))
        write("INSERT OR REPLACE INTO batches (digest, endpoint, requests) VALUES (?, ?, ?)", row)
        with path.open("rb") as lines:
            uploaded = await client.files.create(file=(path.name, lines), purpose="batch")
        batch = await client.batches.create(
            input_file_id=uploaded.id,
            endpoint="/v1/chat/completions",
            completion_window="24h",
            metadata={"ecdbench": sent.digest},
        )
        write("UPDATE batches SET id = ? WHERE digest = ?", (batch.id, sent.digest))
        await self._finish(batch.id, sent)

    async def _finish(self, name: str, sent: _Sent) -> None:
        """Wait for a batch, and keep its answers."""
        client, wait = self._endpoint.client, _FIRST_POLL
        batch = await client.batches.retrieve(name)
        while batch.status in _UNDER_WAY:
            counts = batch.request_counts
            self._progress(counts.completed if counts else 0, len(sent.keys), f"batch {batch.status}")
            await asyncio.sleep(wait)
            wait = min(wait * 1.5, _LAST_POLL)
            batch = await client.batches.retrieve(name)
        if batch.output_file_id:
            content = await client.files.content(batch.output_file_id)
            self._store.put(self._answers(content.text, sent))
        self._forget(sent.digest)

    async def _name_of(self, digest: str) -> str | None:
        """The batch that carries a hash, where an interrupt came between sending it and noting its name."""
        async for batch in self._endpoint.client.batches.list(limit=100):
            if (batch.metadata or {}).get("ecdbench") == digest:
                return batch.id
        return None

    def _forget(self, digest: str) -> None:
        self._store.database.write("DELETE FROM batches WHERE digest = ?", (digest,))

    def _answers(self, text: str, sent: _Sent) -> Iterator[tuple[str, str, dict[str, Any], Answer]]:
        """The whole answers among the lines of a batch's output; what is not there is asked directly."""
        keys = set(sent.keys)
        for line in text.splitlines():
            try:
                entry = json.loads(line)
                key, response = entry["custom_id"], entry["response"]
                is_good = isinstance(key, str) and key in keys and response["status_code"] == 200
                read_completion(response["body"])
            except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
                continue
            if is_good:
                body = self._endpoint.scrubbed(response["body"])
                yield key, self._endpoint.url, sent.fields, Answer(body, None, True, tuple(sent.left_out))
