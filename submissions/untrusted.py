"""Reading untrusted files: plain YAML only, binary files in a process of their own, texts made safe to print."""

from __future__ import annotations

import contextlib
import signal
import unicodedata
from collections.abc import Callable, Hashable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any, TypeVar

import yaml

from ..benchmark.child_processes import spawn_context
from ..benchmark.errors import DataError

T = TypeVar("T")
LARGEST_CARD = 64 * 1024
_DEEPEST = 12
_INVISIBLE = {"Cc", "Cf", "Cs", "Zl", "Zp"}
_MOST_MEMORY = 4 * 2**30  # of addresses; the libraries alone reserve a good part
_MOST_SECONDS = 60
_pools: list[ProcessPoolExecutor] = []


def printable(text: str) -> str:
    """A text on one line, without characters that control a terminal, reverse a line, or cannot be encoded."""
    return " ".join(
        "".join("?" if unicodedata.category(c) in _INVISIBLE and c not in "\n\t" else c for c in text).split()
    )


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


def isolated(read: Callable[..., T], *arguments: Any) -> T:
    """What `read` returns or raises, from another process, which is kept for the next call.

    Args:
        read: a function of a module.
        arguments: what it is given.

    Raises:
        DataError: the process died, or did not answer in time.
    """
    if not _pools:
        _pools.append(ProcessPoolExecutor(1, spawn_context(), _prepare))
    try:
        return _pools[0].submit(read, *arguments).result(_MOST_SECONDS)
    except (BrokenProcessPool, TimeoutError) as error:
        _end(_pools.pop())
        shown = ", ".join(map(str, arguments))
        what = "took too long to read" if isinstance(error, TimeoutError) else "crashed the reader"
        raise DataError(f"{shown} {what}; submit the run again.") from error


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
                    problem=f"the key {str(key.value)[:60]} is repeated, or is not a word", problem_mark=key.start_mark
                )
            seen.add(key.value)
        return super().construct_mapping(node, deep)


def _prepare() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that waits
    with contextlib.suppress(ImportError, ValueError, OSError):  # not every system can
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (_MOST_MEMORY, _MOST_MEMORY))


def _end(pool: ProcessPoolExecutor) -> None:
    for process in list((pool._processes or {}).values()):
        process.kill()
    pool.shutdown(wait=False, cancel_futures=True)
