"""Read files that people have compressed, as they were before, within bounds."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

from .errors import DataError

PACKINGS = (".gz", ".bz2", ".xz", ".zst")
# What unpacks to more than either is no text or table of numbers, but would fill the memory.
_ANY_FILE, _TIMES_ITS_SIZE = 64 * 2**20, 100


def plain_name(path: Path) -> str:
    """The file's name without the ending of a compression."""
    return path.stem if path.suffix.lower() in PACKINGS else path.name


def kind_of(path: Path) -> str:
    """The ending that says what a file holds, in lower case and without that of a compression: .csv of `P.CSV.gz`."""
    return Path(plain_name(path)).suffix.lower()


def most_unpacked(path: Path) -> int:
    """How many bytes the content of a compressed file may have."""
    return max(_ANY_FILE, _TIMES_ITS_SIZE * path.stat().st_size)


def refuse_unpacking(path: Path) -> DataError:
    """The error for a file whose content has more than `most_unpacked` bytes."""
    return DataError(
        f"{path} unpacks to more than {most_unpacked(path) >> 20} MiB, over {_TIMES_ITS_SIZE} times its size; if that "
        "is meant, unpack it first."
    )


def open_unpacked(path: Path) -> BinaryIO:
    """Open a file for reading; one of the `PACKINGS` is unpacked on the way.

    Raises:
        DataError: on reading, that it is damaged, or unpacks to more than `most_unpacked` bytes.
        OSError: it cannot be opened.
    """
    file = path.open("rb")
    packing = path.suffix.lower()
    if packing not in PACKINGS:
        return file
    return io.BufferedReader(_Unpacked(path, file, _OPEN[packing](file)))


def _open_zst(file: BinaryIO) -> Any:
    import pyarrow as pa

    return pa.CompressedInputStream(file, "zstd")


_OPEN: dict[str, Callable[[BinaryIO], Any]] = {
    ".gz": gzip.open,
    ".bz2": bz2.open,
    ".xz": lzma.open,
    ".zst": _open_zst,
}


class _Unpacked(io.RawIOBase):
    """The content of a compressed file, up to its bound."""

    def __init__(self, path: Path, file: BinaryIO, content: Any) -> None:
        self._path, self._file, self._content = path, file, content
        self._left = most_unpacked(path)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        try:
            chunk = self._content.read(len(buffer))
        except (EOFError, zlib.error, lzma.LZMAError) as error:
            raise self._damaged() from error
        except OSError as error:
            if error.errno is not None:  # of the disk, not of the format
                raise
            raise self._damaged() from error
        self._left -= len(chunk)
        if self._left < 0:
            raise refuse_unpacking(self._path)
        buffer[: len(chunk)] = chunk
        return len(chunk)

    def close(self) -> None:
        self._file.close()
        super().close()

    def _damaged(self) -> DataError:
        return DataError(
            f"{self._path} is truncated or no {self._path.suffix} file; copy it again, or correct its name."
        )
