"""Features of inputs on disk, by content: computed once, used by every seed and trial, and by folds where they may."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock

from .storage import write_json

_DIGEST_BYTES = 32


def content_key(content: bytes) -> bytes:
    """The key of one input: the sha256 of its bytes."""
    return hashlib.sha256(content).digest()


@dataclass(frozen=True)
class FeatureRows:
    """Features of some inputs, read from disk as they are asked for.

    Attributes:
        array: features of every input of the recipe, memory-mapped, shape (N, ...).
        positions: which rows of `array` these are, shape (n,).
    """

    array: np.ndarray
    positions: np.ndarray

    def __len__(self) -> int:
        return len(self.positions)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one row."""
        return tuple(self.array.shape[1:])

    def take(self, rows: Any) -> np.ndarray:
        """Some rows, as an array in memory."""
        return self.array[self.positions[rows]]

    def take_views(self, rows: Any, views: Any) -> np.ndarray:
        """One view of each of some rows, where a row is a bank of views."""
        return self.array[self.positions[rows], views]


# From indices of inputs, to blocks of their features in that order.
Compute = Callable[[Sequence[int]], Iterable[np.ndarray]]


class FeatureStore:
    """Features in a folder, one subfolder per recipe.

    A row is found by the sha256 of the input it was computed from, and a recipe names everything else it depends on
    (network, hash of its weights, preprocessing). Rows are appended block by block: an interrupt loses the block in
    hand.

    Args:
        folder: where.
        code: hash of the code that makes the features; other code shares none of them.
        fold: hash of the rows that are learnt from; other folds share those features only that depend on no target.
    """

    def __init__(self, folder: Path, code: str = "", fold: str = "") -> None:
        self.folder, self._code, self._fold = folder, code, fold

    def rows(
        self, recipe: Mapping[str, Any], keys: Sequence[bytes], compute: Compute, free_of_targets: bool = False
    ) -> FeatureRows:
        """Features of some inputs; what is not there yet is computed and kept.

        Args:
            recipe: plain values that say how features are made.
            keys: `content_key` of each input.
            compute: from indices into `keys`, to blocks of float32 features in that order. Blocks are written as
                they come, so that memory does not grow with the number of inputs.
            free_of_targets: declares that no target had a part in them, so that folds and tasks share them.
        """
        parts = [self._code, "" if free_of_targets else self._fold, dict(recipe)]
        name = hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:32]
        shelf = _Shelf(self.folder / name)
        shelf.folder.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{shelf.folder}.lock"):
            known = shelf.index()
            first = {key: position for position, key in reversed(list(enumerate(keys))) if key not in known}
            missing = sorted(first.values())
            done = 0
            for block in compute(missing) if missing else ():
                added = [keys[position] for position in missing[done : done + len(block)]]
                shelf.append(len(known) + done, added, block, recipe)
                done += len(block)
            known = shelf.index() if missing else known
        return FeatureRows(shelf.array(len(known)), np.array([known[key] for key in keys], dtype=np.intp))


class _Shelf:
    """The rows of one recipe: `rows.bin`, their keys in `keys.bin`, and `recipe.json` with the shape of a row."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._rows, self._keys, self._recipe = folder / "rows.bin", folder / "keys.bin", folder / "recipe.json"

    def index(self) -> dict[bytes, int]:
        """Row number by key. A key is written after its row, so every key has a whole one."""
        if not (self._is_described() and self._keys.is_file() and self._rows.is_file()):
            return {}
        content = self._keys.read_bytes()
        count = min(len(content) // _DIGEST_BYTES, self._rows.stat().st_size // self._row_bytes())
        return {content[i * _DIGEST_BYTES : (i + 1) * _DIGEST_BYTES]: i for i in range(count)}

    def append(self, count: int, keys: Sequence[bytes], block: np.ndarray, recipe: Mapping[str, Any]) -> None:
        """Write rows, shape (n, ...), after the first `count`."""
        block = np.ascontiguousarray(block, dtype=np.float32)
        if count == 0:
            shutil.rmtree(self.folder)
            self.folder.mkdir()
            write_json(self._recipe, {"recipe": dict(recipe), "shape": block.shape[1:]})
        _append(self._rows, count * self._row_bytes(), block.tobytes())
        _append(self._keys, count * _DIGEST_BYTES, b"".join(keys))

    def array(self, count: int) -> np.ndarray:
        return np.memmap(self._rows, np.float32, "r", shape=(count, *self._shape()))

    def _is_described(self) -> bool:
        """Whether the description is there and whole; without it, features are computed anew."""
        try:
            shape = json.loads(self._recipe.read_bytes())["shape"]
            return isinstance(shape, list) and all(isinstance(side, int) and side > 0 for side in shape)
        except (OSError, ValueError, KeyError, TypeError):
            return False

    def _shape(self) -> tuple[int, ...]:
        return tuple(json.loads(self._recipe.read_text())["shape"])

    def _row_bytes(self) -> int:
        return int(4 * np.prod(self._shape(), dtype=np.int64))


def _append(path: Path, start: int, content: bytes) -> None:
    """Write after byte `start`; what an interrupt left behind it is overwritten."""
    with path.open("r+b" if path.exists() else "wb") as file:
        file.truncate(start)
        file.seek(start)
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
