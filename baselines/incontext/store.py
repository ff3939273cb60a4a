"""Answers on disk: each is kept the moment it arrives, and asked for once."""

from __future__ import annotations

import hashlib
import json
import os
import re
import socket
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...benchmark.errors import DataError
from .completion import Completion, read_completion
from .database import Database

_DATA_URL = re.compile(r"^data:image/png;base64,(.*)$", re.DOTALL)
_HOST = socket.gethostname()


@dataclass(frozen=True)
class Answer:
    """A completion as the endpoint gave it.

    Attributes:
        response: the completion's JSON.
        seconds: from question to answer; None from a batch.
        batch: whether it came from a batch.
        left_out: fields of the request that the endpoint does not take, and that were left out.
    """

    response: dict[str, Any]
    seconds: float | None
    batch: bool = False
    left_out: tuple[str, ...] = ()

    @property
    def completion(self) -> Completion:
        """What it says."""
        return read_completion(self.response)


def answer_key(endpoint: str, body: dict[str, Any], sample: int) -> str:
    """What an answer is found by: the hash of endpoint, model, parameters, prompt, images, and the number of the
    sample where a question is asked more than once."""
    return hashlib.sha256(json.dumps([endpoint, body, sample], sort_keys=True).encode()).hexdigest()


def without_images(body: Any) -> Any:
    """A request with each image replaced by the sha256 of its data."""
    if isinstance(body, dict):
        return {name: without_images(value) for name, value in body.items()}
    if isinstance(body, list):
        return [without_images(value) for value in body]
    if isinstance(body, str) and (found := _DATA_URL.match(body)):
        return f"image sha256 {hashlib.sha256(found[1].encode()).hexdigest()}"
    return body


class AnswerStore:
    """An append-only file of answers; processes may share it.

    Raises:
        DataError: the file is no such store, or damaged.
        OSError: it cannot be written; no room is left.
    """

    def __init__(self, path: Path) -> None:
        self.database = Database(path)
        self._owner = f"{_HOST}:{os.getpid()}"

    def close(self) -> None:
        """Close the file."""
        self.database.close()

    def get(self, key: str) -> Answer | None:
        """The answer of a key, if there is one."""
        rows = self.database.read("SELECT response, seconds, batch, left_out FROM answers WHERE key = ?", key)
        if not rows:
            return None
        response, seconds, batch, left_out = rows[0]
        try:
            return Answer(json.loads(response), seconds, bool(batch), tuple(left_out.split()))
        except ValueError as error:
            raise DataError(f"{self.database.path} is damaged; move it away and run again.") from error

    def put(self, rows: Iterable[tuple[str, str, dict[str, Any], Answer]]) -> None:
        """Keep answers: key, endpoint, request as it was sent, answer. All of them, or none."""
        values = [
            (
                key,
                endpoint,
                body["model"],
                json.dumps(without_images(body)),
                json.dumps(answer.response),
                answer.seconds,
                answer.batch,
                " ".join(answer.left_out),
            )
            for key, endpoint, body, answer in rows
        ]
        self.database.write(
            "INSERT OR IGNORE INTO answers (key, endpoint, model, request, response, seconds, batch, left_out) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            *values,
        )

    def claim(self, key: str, seconds: float) -> bool:
        """Whether this process may ask for a key: no other one is asking, or it has died, or its time is over."""
        held = self.database.read("SELECT owner, until FROM claims WHERE key = ?", key)
        if held and held[0][0] != self._owner and held[0][1] > time.time() and _is_alive(held[0][0]):
            return False
        claimed = (key, self._owner, time.time() + seconds)
        before = held[0] if held else (None, None)
        changed = self.database.write(
            "INSERT INTO claims VALUES (?, ?, ?) ON CONFLICT (key) DO UPDATE SET owner = excluded.owner, "
            "until = excluded.until WHERE owner IS ? AND until IS ?",
            (*claimed, *before),
        )
        return changed == 1

    def release(self, key: str) -> None:
        """Give a claim back."""
        self.database.write("DELETE FROM claims WHERE key = ? AND owner = ?", (key, self._owner))


def _is_alive(owner: str) -> bool:
    """Whether a process lives; one on another machine may."""
    host, _, number = owner.rpartition(":")
    if host != _HOST:
        return True
    try:
        os.kill(int(number), 0)
    except (ProcessLookupError, ValueError):
        return False
    except PermissionError:
        return True
    return True
