"""The interface of a model under test: two methods that it must have, and abilities that it may have."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np

from .feature_store import FeatureStore
from .metrics import Kind

if TYPE_CHECKING:
    from datasets import Dataset

# Called with steps done, steps in all, and a few words.
Progress = Callable[[int, int, str], None]


def silent(done: int, total: int, message: str) -> None:
    """A progress reporter that reports nothing."""


@dataclass(frozen=True)
class RunContext:
    """What a predictor may know about its run.

    Attributes:
        task: task id.
        target: name of the target.
        unit: its unit.
        description: what the target is, in words that fit a prompt.
        kind: `regression`, or `classification` for a binary target, of which probabilities are to be predicted.
        seed: seed for everything random in the model.
        device: `cpu` or a torch device name.
        cache_dir: a folder that the seeds of one fold share, for what they can use again.
        shared_dir: a folder that every run on this machine shares, inside the cache.
        work_dir: an empty folder; what is left there ends up in the run folder.
        features: features of inputs by content, shared by the seeds of a fold; by folds, too, where a recipe declares
            that no target had a part in them.
        service: for a model behind a service, whatever `evaluate(service=...)` was given; see
            `ecdbench.baselines.llm.usage.Service`.
        progress: call it with done, total and a few words.
        notes: append a sentence that readers of the result should know; it is recorded and printed.
    """

    task: str
    target: str
    unit: str
    description: str
    kind: Kind
    seed: int
    device: str
    cache_dir: Path
    shared_dir: Path
    work_dir: Path
    features: FeatureStore
    service: Any = None
    progress: Progress = field(default=silent, repr=False)
    notes: list[str] = field(default_factory=list)


@runtime_checkable
class Predictor(Protocol):
    """A model under test.

    Hyper-parameters are keyword arguments of `__init__`, and nothing happens there. `fit` sees inputs and targets
    of training and validation rows; validation is for early stopping and model choice. `predict` sees inputs only.
    Rows come as `datasets.Dataset` with columns `id`, the inputs of the dataset (as in `image` (PIL), `density`
    (float array, e/A^3), `formula`, `text` when a tier was asked for), and in `fit` also `target` (float).

    A class attribute `inputs` declares the columns that the model looks at, as in `("image",)`; it is handed those and
    no others. `id` is such a column: where it is not declared, rows carry numbers of the fit in its place. Without the
    attribute, the model is handed every input that is not large, and the ids, and tables say "all inputs".

    Every fit is a process of its own, a fork of one that has imported the model's module: what one leaves in memory,
    in variables or in threads, no other finds.

    A class attribute `asks_service = True` says that the model is behind a service: only the split that ranks is
    predicted, because answers cost time and money.

    Further abilities are optional; a class that has the method has the ability: `PredictsDeviation`, `DescribesItself`,
    `HasFingerprint`, `PredictsStages`, `PredictsProbes`, `ReportsStatus`, `ReportsUsage`, `ReportsCurves`, `Previews`.
    """

    def fit(self, train: Dataset, validation: Dataset, context: RunContext) -> None:
        """Learn from `train`, stop or choose by `validation`."""
        ...

    def predict(self, data: Dataset) -> np.ndarray:
        """Predict `data`: shape (n,), in the order of the rows; in the task's unit, or probabilities."""
        ...


class PredictsDeviation(Protocol):
    """States how uncertain each prediction is."""

    def predict_std(self, data: Dataset) -> np.ndarray | None:
        """Standard deviations, shape (n,), in the unit of the predictions; None where the fit has none."""
        ...


class DescribesItself(Protocol):
    """Adds facts about the fitted model to the result."""

    def info(self) -> Mapping[str, Any]:
        """Plain values, as in `{"parameters": 1746433}`."""
        ...


class HasFingerprint(Protocol):
    """Depends on more than its code and parameters, such as a file of weights."""

    def fingerprint(self) -> Mapping[str, Any]:
        """Plain values, asked for before `fit`: a finished fit is used again only while they are the same."""
        ...


class PredictsStages(Protocol):
    """Is trained in several stages, or reads answers in several ways; each is scored like the model itself."""

    def predict_stages(self, data: Dataset) -> Mapping[str, np.ndarray]:
        """Predictions, shape (n,), by name of the stage."""
        ...


class PredictsProbes(Protocol):
    """Alters its inputs itself to see what it uses; without this, inputs are exchanged between rows or blanked."""

    def predict_probes(self, data: Dataset) -> Mapping[str, np.ndarray]:
        """Predictions, shape (n,), by name of the probe."""
        ...


class ReportsStatus(Protocol):
    """Says how each prediction came about."""

    def predict_status(self, data: Dataset) -> Mapping[str, str]:
        """One word by id, such as `ok` or `refused`. A fit that has an `error` is run again next time."""
        ...


class ReportsUsage(Protocol):
    """Is asked through a service, and counts what that took."""

    def usage(self) -> Mapping[str, Any]:
        """The fields of `ecdbench.baselines.llm.usage.Usage`."""
        ...


@dataclass(frozen=True)
class LearningCurve:
    """Errors of one stage of a training.

    Attributes:
        stage: its name.
        train: error on the training rows after each epoch, the square root of the loss for regression (the RMSE).
        validation: the same on the validation rows.
        best_epoch: the epoch whose weights were kept, counted from 0.
    """

    stage: str
    train: Sequence[float]
    validation: Sequence[float]
    best_epoch: int


class ReportsCurves(Protocol):
    """Is trained epoch by epoch; its curves are kept in the run folder and drawn on the board."""

    def curves(self) -> Sequence[LearningCurve]:
        """The curves of the stages in their order."""
        ...


class Previews(Protocol):
    """Can say what it would ask of a service, for `--dry-run`."""

    def preview(self, data: Dataset, probes: bool) -> Iterator[dict[str, Any]]:
        """Every request: `request`, `endpoint`, `is_kept`, `tokens`, `largest_cost`; nothing is sent."""
        ...
