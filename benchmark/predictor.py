"""The interface of a model under test."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np

from .features import FeatureStore
from .service import Service

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
        features: features of inputs by content, which folds, seeds and models share.
        service: for a model behind a service, how to ask it and what it may cost.
        progress: call it with done, total and a few words.
        notes: append a sentence that whoever reads the result should know; it is recorded and printed.
    """

    task: str
    target: str
    unit: str
    description: str
    seed: int
    device: str
    cache_dir: Path
    work_dir: Path
    features: FeatureStore
    service: Service = field(default_factory=Service)
    progress: Callable[[int, int, str], None] = field(default=silent, repr=False)
    notes: list[str] = field(default_factory=list)


@runtime_checkable
class Predictor(Protocol):
    """A model under test.

    Hyper-parameters are keyword arguments of `__init__`, and nothing happens there. `fit` sees inputs and targets
    of training and validation rows; validation is for early stopping and model choice. `predict` sees inputs only.
    Rows come as `datasets.Dataset` with columns `id`, `image` (PIL), `density` (float array, e/A^3) and `formula`
    where the dataset has them, `text` when a tier was asked for, and `target` (float) in `fit`.

    These methods are optional:

    - `predict_std(data)`: standard deviations, shape (n,), recorded beside the predictions; or None.
    - `info()`: a mapping of plain values that goes to the result, as in `{"parameters": 1746433}`.
    - `fingerprint()`, called before `fit`: a mapping of plain values that say what the predictor depends on besides its
      code and parameters, such as the sha256 of a weights file: a finished fit is used again only while they are the
      same.
    - `predict_stages(data)`: predictions by name of the stage, where a model is trained in several, or reads answers
      in several ways: each is scored like the model itself.
    - `predict_probes(data)`: predictions by name of the probe, on inputs altered to see what is used. Without it,
      images and texts are exchanged between rows.
    - `predict_status(data)`: one word by id, such as `ok` or `refused`. A part with an `error` is run again next time.
    - `usage()`: the fields of `benchmark.results.Usage`, for a model that is asked through a service.
    - `preview(data, probes)`: what would be asked of the service, for `--dry-run`.

    A class attribute `asks_service = True` says that the model is behind a service: only the split that ranks is
    predicted, because answers cost time and money.
    """

    def fit(self, train: Dataset, validation: Dataset, context: RunContext) -> None:
        """Learn from `train`, stop or choose by `validation`."""
        ...

    def predict(self, data: Dataset) -> np.ndarray:
        """Predict `data`: shape (n,), in the task's unit, in the order of the rows."""
        ...
