"""The hash of a model's source: its file and the local files that file imports."""

from __future__ import annotations

import ast
import hashlib
import inspect
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

# Folders of installed packages: what lies beside a module there is not local to it, and its version is recorded.
_INSTALLED = ("site-packages", "dist-packages")


def source_of(target: Any) -> str | None:
    """The `source_sha256` of the file that defines a class or function; None where it is in no file."""
    file = file_of(target)
    return source_sha256(file) if file else None


def file_of(target: Any) -> Path | None:
    """The file that defines a class or function; None where it is in no file."""
    try:
        file = inspect.getsourcefile(target)
    except TypeError:
        file = None
    return Path(file) if file and Path(file).is_file() else None


def imported_names(file: Path) -> set[str]:
    """The modules that a file imports by their full names, at its top or anywhere else."""
    try:
        nodes = list(ast.walk(ast.parse(file.read_bytes())))
    except (OSError, SyntaxError, ValueError):
        return set()
    plain = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    return plain | {
        node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module and not node.level
    }


def source_sha256(file: Path) -> str:
    """The sha256 of a Python file and of everything local that it imports, directly or not: from its own folder, from
    the current one, and by relative imports."""
    digest = hashlib.sha256()
    for path in source_files(file):
        content = path.read_bytes()
        digest.update(f"{os.path.relpath(path, file.resolve().parent)}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()


def source_files(file: Path) -> list[Path]:
    """A Python file and everything local that it imports, directly or not."""
    return sorted(_closure(file.resolve()))


def _closure(file: Path) -> set[Path]:
    root, found, queue = file.parent, {file}, [file]
    while queue:
        for path in _imported(queue.pop(), root):
            if path not in found:
                found.add(path)
                queue.append(path)
    return found


def _imported(file: Path, root: Path) -> Iterator[Path]:
    try:
        tree = ast.parse(file.read_bytes())
    except (SyntaxError, ValueError):
        return  # it cannot be imported either
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield from _local(root, alias.name)
        elif isinstance(node, ast.ImportFrom):
            search = _modules if node.level else _local
            base, module = file.parents[node.level - 1] if node.level else root, node.module or ""
            for name in ("", *(alias.name for alias in node.names)):
                yield from search(base, f"{module}.{name}".strip("."))


def _local(root: Path, dotted: str) -> Iterator[Path]:
    if root.name not in _INSTALLED:
        yield from _modules(root, dotted)
    yield from _modules(Path.cwd(), dotted)


def _modules(base: Path, dotted: str) -> Iterator[Path]:
    if not dotted:
        return
    parts = dotted.split(".")
    for depth in range(1, len(parts) + 1):
        path = base.joinpath(*parts[:depth])
        for candidate in (path.with_suffix(".py"), path / "__init__.py"):
            if candidate.is_file():
                yield candidate
