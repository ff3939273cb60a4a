"""Reading YAML from strangers: plain values only."""

from __future__ import annotations

from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

from ..benchmark.errors import DataError

LARGEST_CARD = 64 * 1024
_DEEPEST = 12


def read_mapping(path: Path, largest: int = LARGEST_CARD) -> dict[str, Any]:
    """The mapping that a YAML file holds.

    Anchors and aliases (they can blow up), tags (they can name code), repeated keys (one hides the other) and several
    documents are refused.

    Raises:
        DataError: the file is absent, too large, or not such a mapping; the message names the line.
    """
    if not path.is_file():
        raise DataError(f"There is no file {path}; `ecdbench card init` writes a card to fill in.")
    try:
        size = path.stat().st_size
        if size > largest:
            raise DataError(f"{path} has {size:,} bytes; a card has at most {largest:,}: shorten its texts.")
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} cannot be read as UTF-8 text ({type(error).__name__}).") from error
    try:
        found = yaml.load(text, Loader=_StrictLoader)  # noqa: S506 - it builds plain values only
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # ValueError: a date such as 2026-13-45
        raise DataError(f"{path} is not plain YAML: {_in_a_line(error)}.") from error
    if not isinstance(found, dict) or not all(isinstance(key, str) for key in found):
        raise DataError(f"{path} is not a YAML mapping of names to values; `ecdbench card init` writes a template.")
    return found


def _in_a_line(error: Exception) -> str:
    problem = getattr(error, "problem", None) or str(error) or type(error).__name__
    mark = getattr(error, "problem_mark", None)
    where = f" (line {mark.line + 1})" if mark else ""
    return " ".join(problem.split()).rstrip(".")[:200] + where


class _StrictLoader(yaml.SafeLoader):
    """A safe loader that has no aliases, no tags and no repeated keys."""

    _depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        event = self.peek_event()
        tag = getattr(event, "tag", None)
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise yaml.MarkedYAMLError(problem="anchors and aliases are refused", problem_mark=event.start_mark)
        if tag is not None:
            raise yaml.MarkedYAMLError(problem=f"the tag {tag[:60]} is refused", problem_mark=event.start_mark)
        if self._depth >= _DEEPEST:
            raise yaml.MarkedYAMLError(problem="it is nested too deeply", problem_mark=event.start_mark)
        self._depth += 1
        try:
            return super().compose_node(parent, index)
        finally:
            self._depth -= 1

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen = set()
        for key, _ in node.value:
            if key.value in seen if isinstance(key.value, str) else True:
                raise yaml.MarkedYAMLError(
                    problem=f"the key {str(key.value)[:60]} is there twice, or is no word", problem_mark=key.start_mark
                )
            seen.add(key.value)
        return super().construct_mapping(node, deep)
