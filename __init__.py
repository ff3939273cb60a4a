"""ecdbench: predicting material properties from electron charge densities, measured fairly.

>>> import ecdbench
>>> run = ecdbench.evaluate("composition-forest", "ecd-fcc/k_vrh")
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .api import evaluate, load_task
    from .benchmark.conformance import check_predictor
    from .benchmark.errors import DataError, EcdbenchError, MissingExtraError, ModelError
    from .benchmark.predictor import Predictor, RunContext
    from .benchmark.results import Run, read_run
    from .tasks.catalogue import task_ids

_HOMES = {
    "evaluate": "api",
    "load_task": "api",
    "check_predictor": "benchmark.conformance",
    "DataError": "benchmark.errors",
    "EcdbenchError": "benchmark.errors",
    "MissingExtraError": "benchmark.errors",
    "ModelError": "benchmark.errors",
    "Predictor": "benchmark.predictor",
    "RunContext": "benchmark.predictor",
    "Run": "benchmark.results",
    "read_run": "benchmark.results",
    "task_ids": "tasks.catalogue",
}

__all__ = [
    "DataError",
    "EcdbenchError",
    "MissingExtraError",
    "ModelError",
    "Predictor",
    "Run",
    "RunContext",
    "check_predictor",
    "evaluate",
    "load_task",
    "read_run",
    "task_ids",
]


def __getattr__(name: str) -> Any:
    """Import a public name from its module when it is first used."""
    if name == "__version__":
        from importlib.metadata import version

        return version("ecdbench")
    if name not in _HOMES:
        raise AttributeError(f"module 'ecdbench' has no attribute '{name}'")
    value = getattr(importlib.import_module(f".{_HOMES[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
