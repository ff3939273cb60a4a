"""Rows of a dataset folder by id, read when they are asked for."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from functools import lru_cache
from typing import Any

# Groups of some hundred rows that stay in memory: one for each split, whose rows are mostly asked for in order.
_KEPT_GROUPS = 3


class LazyRows(Mapping[str, Mapping[str, Any]]):
    """Rows by id; only a few groups of them are in memory.

    Args:
        places: the group of each row and its position there, by id.
        read_group: reads a group of rows.
    """

    def __init__(
        self, places: Mapping[str, tuple[Any, int]], read_group: Callable[[Any], list[dict[str, Any]]]
    ) -> None:
        self._places = places
        self._read_group = lru_cache(maxsize=_KEPT_GROUPS)(read_group)

    def __getitem__(self, material: str) -> Mapping[str, Any]:
        group, position = self._places[material]
        return self._read_group(group)[position]

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)


class SomeRows(Mapping[str, Mapping[str, Any]]):
    """Some of the rows of another mapping, which is not copied."""

    def __init__(self, rows: Mapping[str, Mapping[str, Any]], ids: Collection[str]) -> None:
        self._rows, self._ids = rows, dict.fromkeys(ids)

    def __getitem__(self, material: str) -> Mapping[str, Any]:
        if material not in self._ids:
            raise KeyError(material)
        return self._rows[material]

    def __iter__(self) -> Iterator[str]:
        return iter(self._ids)

    def __len__(self) -> int:
        return len(self._ids)
