"""Finished rows and failures of a build, on disk: one file per crystal, so that a rerun resumes from there."""

from __future__ import annotations

import hashlib
import io
import json
from dataclasses import asdict, dataclass
from pathlib import Path

import pyarrow as pa

from ...benchmark.storage import write_atomically, write_json


@dataclass(frozen=True)
class Failure:
    """Why a crystal has no row.

    Attributes:
        kind: the category it is counted under.
        reason: a sentence for the user.
        retryable: another try may succeed: the source was busy, or the worker died.
    """

    kind: str
    reason: str
    retryable: bool = False


@dataclass(frozen=True)
class Outcome:
    """The result for one crystal: its packed row, or its failure."""

    id: str
    row: bytes | None
    failure: Failure | None = None


def pack(row: pa.Table) -> bytes:
    """Serialise a row for transfer between processes and for storage."""
    buffer = io.BytesIO()
    with pa.ipc.new_stream(buffer, row.schema, options=pa.ipc.IpcWriteOptions(compression="zstd")) as writer:
        writer.write_table(row)
    return buffer.getvalue()


def unpack(packed: bytes) -> pa.Table:
    """Reverse `pack`. Raises pyarrow.ArrowInvalid where the bytes are damaged."""
    with pa.ipc.open_stream(packed) as reader:
        return reader.read_all()


class RowStore:
    """Rows and failures in a folder, by sample id and by a key: a hash of everything the row was made from.

    A row made from other properties or another density has another key; it is not found, and is deleted when the
    crystal is built again.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def put(self, outcome: Outcome, key: str) -> None:
        """Store an outcome, replacing any earlier one of the same crystal."""
        shard, packed = self._shard(outcome.id), outcome.row
        new = shard / f"{outcome.id}.{key}.{'json' if packed is None else 'arrow'}"
        if packed is not None:
            write_atomically(new, lambda path: path.write_bytes(packed))
        elif outcome.failure is not None:
            write_json(new, asdict(outcome.failure))
        for path in shard.iterdir():
            if path != new and path.stem.rpartition(".")[0] == outcome.id:
                path.unlink(missing_ok=True)

    def is_done(self, sample_id: str, key: str, retry_failed: bool) -> bool:
        """Whether a crystal has a row or a permanent failure; with `retry_failed` no failure is permanent."""
        if self._path(sample_id, key, "arrow").exists():
            return True
        failure = self.failure(sample_id, key)
        return failure is not None and not failure.retryable and not retry_failed

    def row(self, sample_id: str, key: str) -> pa.Table | None:
        """The row of a crystal; None where there is none or it is damaged, so that it will be built again."""
        path = self._path(sample_id, key, "arrow")
        try:
            return unpack(path.read_bytes())
        except FileNotFoundError:
            return None
        except pa.ArrowException:  # a disk that did not write what it confirmed
            path.unlink()
            return None

    def failure(self, sample_id: str, key: str) -> Failure | None:
        """Why a crystal has no row; None where it did not fail."""
        try:
            return Failure(**json.loads(self._path(sample_id, key, "json").read_text()))
        except (OSError, ValueError, TypeError):
            return None

    def _path(self, sample_id: str, key: str, suffix: str) -> Path:
        return self._shard(sample_id) / f"{sample_id}.{key}.{suffix}"

    def _shard(self, sample_id: str) -> Path:
        """One of 256 subfolders: file systems slow down with a hundred thousand files in one folder."""
        return self.folder / hashlib.sha256(sample_id.encode()).hexdigest()[:2]
