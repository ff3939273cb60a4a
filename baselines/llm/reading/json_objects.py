"""JSON objects in text, as models write them: with prose around, comments, quotes of any kind or none, and mistakes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

# A decoded value: texts are not converted, so that `1,650` or `165 GPa` without quotes is not cut short.
Node = dict[str, "Node"] | list["Node"] | str

_DEEPEST = 30
# Braces that are LaTeX are no objects.
_OPENING = re.compile(r"(?P<latex>\\[A-Za-z]+\s*|[\\^_])?\{")
_SPACE = re.compile(r"(?:\s|//[^\n]*|#[^\n]*|/\*.{0,1000}?\*/)*", re.DOTALL)
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*+)"|' r"'((?:[^'\\]|\\.)*+)'", re.DOTALL)
_KEY = re.compile(r"[A-Za-z_][^:={}\[\]\"'\n,]{0,60}")
_COLON = re.compile(r"\s*(?::|=>?)")
# A comma between digits is part of a number.
_BARE = re.compile(r"(?:[^,;{}\[\]\"\n/#]|,(?=\d)(?<=\d,)|/(?![/*])){1,200}")
_NUMERIC = re.compile(r"[-+\u2212\u2013]?\s?\.?\d")
_SEPARATOR = re.compile(r"[,;]")


@dataclass(frozen=True)
class FoundObject:
    """An outermost object in a text.

    Attributes:
        content: what could be decoded; all keys before the first mistake.
        is_whole: it could be decoded up to its closing brace.
        start: where it begins.
        end: where it ends.
    """

    content: dict[str, Node]
    is_whole: bool
    start: int
    end: int


def find_objects(text: str) -> Iterator[FoundObject]:
    """The outermost objects of a text, in order; a mistake ends an object. Takes a time linear in the text."""
    position = 0
    while opening := _OPENING.search(text, position):
        position = opening.end()
        if not opening["latex"]:
            reader = _Reader(text, position)
            content = reader.members()
            position = max(position, reader.position)
            if content:
                yield FoundObject(content, reader.is_whole, opening.start(), position)


class _Reader:
    """Decodes from one position on; `position` is where it came to, `is_whole` whether without mistake."""

    def __init__(self, text: str, position: int) -> None:
        self.text, self.position, self.is_whole = text, position, True
        self._depth = 1

    def members(self) -> dict[str, Node]:
        """The members of an object whose brace has been read."""
        members: dict[str, Node] = {}
        while not self._closes("}"):
            quoted = self._match(_QUOTED)
            key = _unquoted(quoted) if quoted else (bare[0].strip() if (bare := self._match(_KEY)) else None)
            if key is None or not self._match(_COLON):
                self.is_whole = False
                if members and _NUMERIC.match(self.text, self.position):  # the value before is one of several
                    members.popitem()
                break
            value = self._value()
            if value is None:
                break
            members[key] = value
            if not self.is_whole:
                break
        return members

    def _items(self) -> list[Node]:
        items: list[Node] = []
        while not self._closes("]"):
            value = self._value()
            if value is None:
                break
            items.append(value)
            if not self.is_whole:
                break
        return items

    def _value(self) -> Node | None:
        self._match(_SPACE)
        opening = self.text[self.position : self.position + 1]
        if opening and opening in "{[" and self._depth < _DEEPEST:
            self.position += 1
            self._depth += 1
            value: Node = self.members() if opening == "{" else self._items()
            self._depth -= 1
            return value
        if quoted := self._match(_QUOTED):
            return _unquoted(quoted)
        if bare := self._match(_BARE):
            return bare[0].strip()
        self.is_whole = False
        return None

    def _closes(self, bracket: str) -> bool:
        """Pass over space and separators, and over the bracket if it is there."""
        self._match(_SPACE)
        while self._match(_SEPARATOR):
            self._match(_SPACE)
        if not self.text.startswith(bracket, self.position):
            return False
        self.position += 1
        return True

    def _match(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        found = pattern.match(self.text, self.position)
        if found:
            self.position = found.end()
        return found


def _unquoted(match: re.Match[str]) -> str:
    content = match[1] if match[1] is not None else match[2]
    try:
        return str(json.loads(f'"{content}"', strict=False))
    except ValueError:
        return content
