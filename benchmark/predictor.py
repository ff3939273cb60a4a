"""The interface of a model under test."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np

if TYPE_CHECKING:
    from datasets import Dataset


def silent(done: int, total: int, message: str) -> None:
    """The progress reporter of a run that nobody watches."""


@dataclass(frozen=True)
class RunContext:
    """What a predictor may know about its run.

    Attributes:
        task: task id.
        target: name of the target.
        unit: its unit.
        description: what the target is, in words that fit a prompt.
        seed: seed for everything random in the model.
        device: `cpu` or a torch device name.
        cache_dir: a folder that the seeds of one fold share, for what they can use again.
        work_dir: an empty folder; what is left there lands in the run folder.
        progress: call it with done, total and a few words.
    """

    task: str
    target: str
    unit: str
    description: str
    seed: int
    device: str
    cache_dir: Path
    work_dir: Path
    progress: Callable[[int, int, str], None] = field(default=silent, repr=False)


@runtime_checkable
class Predictor(Protocol):
    """A model under test.

    Hyper-parameters are keyword arguments of `__init__`, and nothing happens there. `fit` sees inputs and targets
    of training and validation rows; validation is for early stopping and model choice. `predict` sees inputs only.
    Rows come as `datasets.Dataset` with columns `id`, `image` (PIL), `density` (float array, e/A^3) and `formula`
    where the dataset has them, `text` when a tier was asked for, and `target` (float) in `fit`.

    Two methods are optional: `predict_std(data)`, shape (n,), and `info()`, a mapping of plain values that goes to
    the result, as in `{"parameters": 1746433}`.
    """

    def fit(self, train: Dataset, validation: Dataset, context: RunContext) -> None:
        """Learn from `train`, stop or choose by `validation`."""
        ...

    def predict(self, data: Dataset) -> np.ndarray:
        """Predict `data`: shape (n,), in the task's unit, in the order of the rows."""
        ...
