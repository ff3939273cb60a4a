"""Hiding folders from a process, by a mount namespace of its own. Linux, where users may make namespaces."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from ..errors import EcdbenchError

_NEW_USER, _NEW_MOUNTS = 0x10000000, 0x00020000
_RECURSIVE, _PRIVATE = 16384, 1 << 18


def hide(folders: Sequence[Path]) -> None:
    """Show this process, and those that it starts, empty folders in place of some.

    Raises:
        EcdbenchError: the system does not let users do so.
    """
    user, group = os.getuid(), os.getgid()
    try:
        _call("unshare", _NEW_USER | _NEW_MOUNTS)
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
        Path("/proc/self/gid_map").write_text(f"{group} {group} 1")
        _call("mount", b"none", b"/", None, _RECURSIVE | _PRIVATE, None)
        for folder in folders:
            if folder.is_dir():
                _call("mount", b"none", os.fsencode(folder), b"tmpfs", 0, b"size=64m,mode=0700")
    except (OSError, AttributeError) as error:
        raise EcdbenchError(
            f"This system does not let a process be isolated ({error}); leave out --isolated, or allow unprivileged "
            "user namespaces."
        ) from error


def _call(name: str, *arguments: object) -> None:
    if sys.platform != "linux":
        raise OSError("there are no namespaces here")
    libc = ctypes.CDLL(None, use_errno=True)
    if getattr(libc, name)(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
