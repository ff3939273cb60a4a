"""Files that show when somebody else has changed them: a keyed hash stands in their first line.

The key lies in the user's cache. It keeps honest what happens by mistake, and what a model does to files of others; it
is no secret from a program that looks for it.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from functools import cached_property
from pathlib import Path

from filelock import FileLock

from .storage import write_text

_KEY = "key"


class AlteredError(ValueError):
    """A sealed file was changed after it was written."""


class Sealer:
    """Makes and checks seals.

    Args:
        folder: the cache, in which the key lies.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def write(self, path: Path, text: str) -> None:
        """Write a text with its seal, atomically."""
        write_text(path, f"{self.seal(text.encode())}\n{text}")

    def opened(self, path: Path) -> str:
        """The text of a sealed file.

        Raises:
            AlteredError: its seal does not hold.
        """
        seal, _, text = path.read_bytes().partition(b"\n")
        if not hmac.compare_digest(seal, self.seal(text).encode()):
            raise AlteredError(path)
        return text.decode()

    def seal(self, content: bytes) -> str:
        """The keyed hash of some bytes."""
        return hmac.new(self._key, content, hashlib.sha256).hexdigest()

    @cached_property
    def _key(self) -> bytes:
        path = self._folder / _KEY
        if not path.is_file():
            self._folder.mkdir(parents=True, exist_ok=True)
            with FileLock(f"{path}.lock"):
                if not path.is_file():  # another process may have been the first
                    write_text(path, secrets.token_hex(32))
                    path.chmod(0o600)
        return path.read_bytes()
