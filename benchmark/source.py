"""The hash of a model's source: its file and the local files that file imports."""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterator
from pathlib import Path


def source_sha256(file: Path) -> str:
    """The sha256 of a Python file and of everything it imports from its own folder, directly or not."""
    digest = hashlib.sha256()
    for path in sorted(_closure(file.resolve())):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(file.resolve().parent)}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()


def _closure(file: Path) -> set[Path]:
    root, found, queue = file.parent, {file}, [file]
    while queue:
        for path in _imported(queue.pop(), root):
            if path not in found:
                found.add(path)
                queue.append(path)
    return found


def _imported(file: Path, root: Path) -> Iterator[Path]:
    for node in ast.walk(ast.parse(file.read_bytes())):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield from _modules(root, alias.name)
        elif isinstance(node, ast.ImportFrom):
            base = file.parents[node.level - 1] if node.level else root
            if base.is_relative_to(root):
                module = node.module or ""
                yield from _modules(base, module)
                for alias in node.names:
                    yield from _modules(base, f"{module}.{alias.name}".strip("."))


def _modules(base: Path, dotted: str) -> Iterator[Path]:
    if not dotted:
        return
    parts = dotted.split(".")
    for depth in range(1, len(parts) + 1):
        path = base.joinpath(*parts[:depth])
        for candidate in (path.with_suffix(".py"), path / "__init__.py"):
            if candidate.is_file():
                yield candidate
