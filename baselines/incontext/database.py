"""The SQLite file that answers are kept in: opened safely, with a sentence for each way of failing."""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ...benchmark.errors import DataError

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


class Database:
    """A connection. A write is durable against the death of the process at the moment it returns.

    Raises:
        DataError: the file is no such store, or damaged.
        OSError: it cannot be written; no room is left.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        if path.is_dir():
            raise DataError(f"{path} is a folder, where a file of answers should be; move it away and run again.")
        with self.sentences():
            self._connection = sqlite3.connect(path, timeout=60.0, isolation_level=None)
            self._connection.execute("PRAGMA journal_mode=WAL")
            self._connection.execute("PRAGMA synchronous=NORMAL")
            self._connection.executescript(_SCHEMA)
            # That nothing can be written is told before anything is paid.
            self._connection.execute("INSERT OR REPLACE INTO claims VALUES ('', 'can it be written?', 0)")

    def read(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        """The rows of a query."""
        with self.sentences():
            return self._connection.execute(query, values).fetchall()

    def write(self, statement: str, *rows: Sequence[Any]) -> int:
        """Run a statement for each row, for all of them or none; returns how many rows changed."""
        with self.sentences():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                changed = self._connection.executemany(statement, rows).rowcount
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise
            return changed

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    @contextmanager
    def sentences(self) -> Iterator[None]:
        """Errors of the library as ours."""
        try:
            yield
        except sqlite3.DatabaseError as error:
            reason = str(error)
            if "full" in reason or "I/O" in reason:
                raise OSError(errno.ENOSPC, "No space left on device", str(self.path)) from error
            if "readonly" in reason or "unable to open" in reason:
                raise OSError(errno.EROFS, "Cannot be written", str(self.path)) from error
            raise DataError(f"{self.path} is no store of answers ({reason}); move it away and run again.") from error
