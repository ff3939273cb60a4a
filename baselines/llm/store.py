"""The SQLite store of answers: each is written the moment it arrives, and no request is sent twice."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import socket
import sqlite3
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ...benchmark.errors import DataError
from .replies import Answer, read_completion

_SCHEMA = """
CREATE TABLE IF NOT EXISTS answers (
    key TEXT PRIMARY KEY, endpoint TEXT, model TEXT, request TEXT, response TEXT, seconds REAL, batch INTEGER,
    left_out TEXT, created TEXT DEFAULT CURRENT_TIMESTAMP
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS claims (key TEXT PRIMARY KEY, owner TEXT, until REAL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS batches (
    digest TEXT PRIMARY KEY, endpoint TEXT, id TEXT, requests TEXT, created TEXT DEFAULT CURRENT_TIMESTAMP
) WITHOUT ROWID;
"""
_DATA_URL = re.compile(r"^data:image/png;base64,(.*)$", re.DOTALL)
_HOST = socket.gethostname()


def answer_key(url: str, body: dict[str, Any], sample: int) -> str:
    """The hash under which an answer is stored: of the endpoint, the request body (model, parameters, prompt, images)
    and the sample number."""
    return hashlib.sha256(json.dumps([url, body, sample], sort_keys=True).encode()).hexdigest()


class AnswerStore:
    """A file of answers, claims on requests in flight, and batches that are being processed.

    Processes may share it. A write survives the death of the process from the moment it returns.

    Raises:
        DataError: the file is not an answer store, or is damaged.
        OSError: it cannot be written, or the disk is full.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path, self._owner = path, f"{_HOST}:{os.getpid()}"
        if path.is_dir():
            raise DataError(f"{path} is a folder, but the answer store is a file; move it away and run again.")
        with self._translated_errors():
            self._connection = sqlite3.connect(path, timeout=60.0, isolation_level=None)
            self._connection.execute("PRAGMA journal_mode=WAL")
            self._connection.execute("PRAGMA synchronous=NORMAL")
            self._connection.executescript(_SCHEMA)
            # A store that cannot be written must fail before anything is paid.
            self._connection.execute("INSERT OR REPLACE INTO claims VALUES ('', 'write test', 0)")

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def __contains__(self, key: str) -> bool:
        return bool(self._read("SELECT 1 FROM answers WHERE key = ?", key))

    def get(self, key: str) -> Answer | None:
        """The answer stored under a key, if there is one."""
        rows = self._read("SELECT response, seconds, batch, left_out FROM answers WHERE key = ?", key)
        if not rows:
            return None
        text, seconds, batch, left_out = rows[0]
        try:
            response = json.loads(text)
            return Answer(response, read_completion(response), seconds, bool(batch), tuple(left_out.split()))
        except ValueError as error:
            raise DataError(f"{self.path} is damaged; move it away and run again.") from error

    def put(self, rows: Iterable[tuple[str, str, dict[str, Any], Answer]]) -> None:
        """Store answers, all or none: key, URL of the endpoint, request body as sent, answer."""
        values = [
            (
                key,
                url,
                body["model"],
                json.dumps(_without_images(body)),
                json.dumps(answer.response),
                answer.seconds,
                answer.batch,
                " ".join(answer.left_out),
            )
            for key, url, body, answer in rows
        ]
        self._write(
            "INSERT OR IGNORE INTO answers (key, endpoint, model, request, response, seconds, batch, left_out) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            *values,
        )

    def claim(self, key: str, seconds: float) -> bool:
        """Claim a request for some time; False while another living process holds it."""
        held = self._read("SELECT owner, until FROM claims WHERE key = ?", key)
        if held and held[0][0] != self._owner and held[0][1] > time.time() and _is_alive(held[0][0]):
            return False
        claim = (key, self._owner, time.time() + seconds)
        before = held[0] if held else (None, None)
        changed = self._write(
            "INSERT INTO claims VALUES (?, ?, ?) ON CONFLICT (key) DO UPDATE SET owner = excluded.owner, "
            "until = excluded.until WHERE owner IS ? AND until IS ?",
            (*claim, *before),
        )
        return changed == 1

    def release(self, key: str) -> None:
        """Give up a claim."""
        self._write("DELETE FROM claims WHERE key = ? AND owner = ?", (key, self._owner))

    def batches(self, url: str) -> list[tuple[str, str | None, str]]:
        """Batches of an endpoint that are not finished: digest, id where it is known, requests as JSON."""
        rows = self._read("SELECT digest, id, requests FROM batches WHERE endpoint = ?", url)
        return [(digest, batch_id, requests) for digest, batch_id, requests in rows]

    def add_batch(self, digest: str, url: str, requests: str) -> None:
        """Note a batch that is about to be created."""
        statement = "INSERT OR REPLACE INTO batches (digest, endpoint, requests) VALUES (?, ?, ?)"
        self._write(statement, (digest, url, requests))

    def set_batch_id(self, digest: str, batch_id: str) -> None:
        """Note the id under which a batch was created."""
        self._write("UPDATE batches SET id = ? WHERE digest = ?", (batch_id, digest))

    def remove_batch(self, digest: str) -> None:
        """Forget a batch that is finished, or was never created."""
        self._write("DELETE FROM batches WHERE digest = ?", (digest,))

    def _read(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        with self._translated_errors():
            return self._connection.execute(query, values).fetchall()

    def _write(self, statement: str, *rows: Sequence[Any]) -> int:
        """Run a statement for each row, for all or none; returns the number of rows changed."""
        with self._translated_errors():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                changed = self._connection.executemany(statement, rows).rowcount
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise
            return changed

    @contextmanager
    def _translated_errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.DatabaseError as error:
            reason = str(error)
            if "full" in reason or "I/O" in reason:
                raise OSError(errno.ENOSPC, "No space left on device", str(self.path)) from error
            if "readonly" in reason or "unable to open" in reason:
                raise OSError(errno.EROFS, "Cannot be written", str(self.path)) from error
            raise DataError(f"{self.path} is not an answer store ({reason}); move it away and run again.") from error


def _without_images(body: Any) -> Any:
    """A request body with each image replaced by the sha256 of its data."""
    if isinstance(body, dict):
        return {name: _without_images(value) for name, value in body.items()}
    if isinstance(body, list):
        return [_without_images(value) for value in body]
    if isinstance(body, str) and (found := _DATA_URL.match(body)):
        return f"image sha256 {hashlib.sha256(found[1].encode()).hexdigest()}"
    return body


def _is_alive(owner: str) -> bool:
    """Whether a process lives; on another machine it is assumed to."""
    host, _, pid = owner.rpartition(":")
    if host != _HOST:
        return True
    try:
        os.kill(int(pid), 0)
    except (ProcessLookupError, ValueError):
        return False
    except PermissionError:
        return True
    return True
