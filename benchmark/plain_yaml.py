"""YAML of strangers: plain values that are not nested deeply, and nothing else that the language can do."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import yaml

from .untrusted import DEEPEST


def parse_yaml(text: str) -> Any:
    """The plain values that a YAML text holds.

    Anchors and aliases (they can blow up), tags (they can name code), repeated keys (one hides the other) and several
    documents are refused.

    Raises:
        ValueError: it is not such a text; the message names the line.
    """
    try:
        return yaml.load(text, Loader=_StrictLoader)  # noqa: S506 - it builds plain values only
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # ValueError: a date such as 2026-13-45
        raise ValueError(_in_a_line(error)) from error


def _in_a_line(error: Exception) -> str:
    problem = getattr(error, "problem", None) or str(error) or type(error).__name__
    mark = getattr(error, "problem_mark", None)
    where = f" (line {mark.line + 1})" if mark else ""
    return " ".join(problem.split()).rstrip(".")[:200] + where


class _StrictLoader(yaml.SafeLoader):
    """A safe loader without aliases, tags and repeated keys."""

    _depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        event = self.peek_event()
        tag = getattr(event, "tag", None)
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise yaml.MarkedYAMLError(problem="anchors and aliases are refused", problem_mark=event.start_mark)
        if tag is not None:
            raise yaml.MarkedYAMLError(problem=f"the tag {tag[:60]} is refused", problem_mark=event.start_mark)
        if self._depth >= DEEPEST:
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
                    problem=f"the key {str(key.value)[:60]} is repeated, or is not a word", problem_mark=key.start_mark
                )
            seen.add(key.value)
        return super().construct_mapping(node, deep)
