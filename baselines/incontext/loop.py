"""Coroutines in a program that has none."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

_T = TypeVar("_T")


def run(task: Callable[[], Coroutine[Any, Any, _T]]) -> _T:
    """Run a coroutine to its end, also where an event loop is running already, as in a notebook."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(task())
    outcome: list[_T | BaseException] = []

    def work() -> None:
        try:
            outcome.append(asyncio.run(task()))
        except BaseException as error:  # noqa: BLE001 - it is raised again in the thread that waits
            outcome.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    if isinstance(outcome[0], BaseException):
        raise outcome[0]
    return outcome[0]
