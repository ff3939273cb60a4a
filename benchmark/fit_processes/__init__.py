"""Where fits run: each in a process of its own, so that what one learns or does no other sees.

A server imports the code of a model, and every fit is a fork of it that is handed its rows and nothing else: the
targets of what it predicts, the other folds, the scorer and the stores stay in the process that evaluates. When a fit
has answered, everything that it started ends.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from .here import InProcess
from .parent import FitProcesses
from .workplace import Workplace

Isolation = Literal["none", "process", "full"]


def workplace(isolation: Isolation = "process", hidden: Sequence[Path] = ()) -> Workplace:
    """Where the fits of a run are made.

    Args:
        isolation: `none` for this process, as debuggers need it; `process` for processes of their own; `full` for
            processes that do not see certain folders either (Linux only).
        hidden: those folders.
    """
    if isolation == "none":
        return InProcess()
    return FitProcesses(tuple(hidden) if isolation == "full" else ())
