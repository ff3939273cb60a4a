"""What a fit has read and loaded besides its code, so that a kept fit is used only while that is the same."""

from __future__ import annotations

import os
import sys
import sysconfig
from collections.abc import Collection
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

INSTALLED = tuple({sysconfig.get_path(name) + os.sep for name in ("purelib", "platlib")})
_PYTHON = tuple({os.path.realpath(sysconfig.get_path(name)) + os.sep for name in ("stdlib", "platstdlib")})
_PACKAGE = str(Path(__file__).parents[2]) + os.sep
_SYSTEM = ("/proc/", "/sys/", "/dev/", "/etc/", "/usr/")


class Trace(BaseModel):
    """What a fit has read and loaded.

    Attributes:
        files: data and modules outside of installed packages.
        libraries: top-level modules of installed packages.
    """

    model_config = ConfigDict(extra="forbid")

    files: list[str] = []
    libraries: list[str] = []


class Tracer:
    """Watches this process from now on; it cannot be taken back.

    Args:
        own: folders whose files are the fit's own.
    """

    def __init__(self, own: Collection[Path]) -> None:
        self._own = tuple(os.path.abspath(folder) + os.sep for folder in own)  # noqa: PTH100 - links stay
        self._opened: dict[str, bool] = {}
        sys.addaudithook(self._hear)

    def trace(self) -> Trace:
        """What was read and loaded so far."""
        # Not by getattr, at which lazy modules import others.
        found = {name: getattr(module, "__dict__", {}).get("__file__") for name, module in list(sys.modules.items())}
        modules = {name: file for name, file in found.items() if isinstance(file, str)}
        local = {file for file in modules.values() if not file.startswith((*INSTALLED, *_PYTHON, _PACKAGE))}
        data = {path for path, written in list(self._opened.items()) if not written and self._is_data(path)}
        installed = [name for name, file in modules.items() if file.startswith(INSTALLED)]
        return Trace(
            files=sorted(data | {file for file in local if file.endswith((".py", ".so"))}),
            libraries=sorted({name.partition(".")[0] for name in installed}),
        )

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open" and isinstance(arguments[0], str | bytes):
            path = os.path.abspath(os.fsdecode(arguments[0]))  # noqa: PTH100 - it must not open anything
            mode, flags = arguments[1], arguments[2]
            writes = any(letter in mode for letter in "wax+") if isinstance(mode, str) else bool(flags & os.O_ACCMODE)
            self._opened[path] = self._opened.get(path, False) or writes

    def _is_data(self, path: str) -> bool:
        if path.startswith((*INSTALLED, *_PYTHON, _PACKAGE, *_SYSTEM, *self._own)) or path.endswith((".py", ".pyc")):
            return False
        return "ecdbench-" not in path and os.path.isfile(path)  # noqa: PTH113 - as it was named
