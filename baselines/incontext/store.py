"""Answers on disk: each is kept the moment it arrives, and asked for once."""

from __future__ import annotations

import errno
import hashlib
import json
import re
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...benchmark.errors import DataError

_SCHEMA = """
CREATE TABLE IF NOT EXISTS answers (
    key TEXT PRIMARY KEY, endpoint TEXT, model TEXT, request TEXT, response TEXT, seconds REAL, batch INTEGER,
    as_schema INTEGER, created TEXT DEFAULT CURRENT_TIMESTAMP
) WITHOUT ROWID
"""
_DATA_URL = re.compile(r"^data:image/png;base64,(.*)$", re.DOTALL)


@dataclass(frozen=True)
class Answer:
    """A completion as the endpoint gave it.

    Attributes:
        response: the completion's JSON.
        seconds: from question to answer; None from a batch.
        batch: whether it came from a batch.
        as_schema: whether a JSON schema was asked for.
        is_new: whether it was asked for now.
    """

    response: dict[str, Any]
    seconds: float | None
    batch: bool = False
    as_schema: bool = True
    is_new: bool = False


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
    """An append-only SQLite file of answers; processes may share it.

    A write is durable against the death of the process at the moment it returns.

    Raises:
        DataError: the file is no such store.
        OSError: it cannot be written; no room is left.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        with self._sentences():
            self._database = sqlite3.connect(path, timeout=60.0)
            self._database.execute("PRAGMA journal_mode=WAL")
            self._database.execute("PRAGMA synchronous=NORMAL")
            self._database.execute(_SCHEMA)
            # That nothing can be written is told before anything is paid.
            self._database.execute("CREATE TABLE IF NOT EXISTS probe (at TEXT)")
            self._database.execute("DELETE FROM probe")
            self._database.execute("INSERT INTO probe VALUES (CURRENT_TIMESTAMP)")
            self._database.commit()

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def get(self, key: str) -> Answer | None:
        """The answer of a key, if there is one."""
        with self._sentences():
            query = "SELECT response, seconds, batch, as_schema FROM answers WHERE key = ?"
            row = self._database.execute(query, (key,)).fetchone()
        return None if row is None else Answer(json.loads(row[0]), row[1], bool(row[2]), bool(row[3]))

    def put(self, rows: Iterable[tuple[str, str, dict[str, Any], Answer]]) -> None:
        """Keep answers: key, endpoint, request as it was sent, answer. All of them, or none."""
        values = (
            (
                key,
                endpoint,
                body["model"],
                json.dumps(without_images(body)),
                json.dumps(answer.response),
                answer.seconds,
                answer.batch,
                answer.as_schema,
            )
            for key, endpoint, body, answer in rows
        )
        with self._sentences(), self._database:
            self._database.executemany(
                "INSERT OR IGNORE INTO answers (key, endpoint, model, request, response, seconds, batch, as_schema) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                values,
            )

    @contextmanager
    def _sentences(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.DatabaseError as error:
            reason = str(error)
            if "full" in reason or "I/O" in reason:
                raise OSError(errno.ENOSPC, "No space left on device", str(self._path)) from error
            if "readonly" in reason or "unable to open" in reason:
                raise OSError(errno.EROFS, "Cannot be written", str(self._path)) from error
            raise DataError(f"{self._path} is no store of answers ({reason}); move it away and run again.") from error
