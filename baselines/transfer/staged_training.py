"""Training in stages: each starts from the one before, is scored on its own, and is not repeated after an interrupt."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from ...benchmark.predictor import LearningCurve
from ...benchmark.storage import write_atomically
from ..hyperparameters import require_dropout, require_integer
from ..training import loop
from ..training.device import BatchSplitter, set_up_device
from ..training.objective import choose_objective
from ..training.sources import LabelledSource

if TYPE_CHECKING:
    import torch
    from datasets import Dataset
    from torch import nn

    from ...benchmark.predictor import RunContext
    from ..training.sources import Source

# From a table, and whether it is trained on, to the inputs of a stage's network.
MakeSource = Callable[["Dataset", bool], "Source"]


@dataclass(kw_only=True, eq=False)
class StagedPredictor:
    """Base of the models that are trained in stages; a subclass defines them in `train_stages`.

    A subclass is a dataclass too: its fields are further hyper-parameters.
    """

    patience: int = 10
    max_epochs: int = 500
    dropout: float = 0.2
    views: int = 16
    precision: str = "auto"
    inputs: tuple[str, ...] = field(default=(), init=False, repr=False)
    extra: ClassVar = "torch"

    def __post_init__(self) -> None:
        require_integer("views", self.views, minimum=0)
        require_dropout(self.dropout)

    def train_stages(self, training: StagedTraining, train: Dataset, context: RunContext) -> None:
        """Call `training.run` for each stage."""
        raise NotImplementedError

    def describe(self) -> dict[str, Any]:
        """What `info` says of the pretrained networks."""
        raise NotImplementedError

    def fit(self, train: Dataset, validation: Dataset, context: RunContext) -> None:
        """Train the stages."""
        set_up_device(context.device)
        self._training = StagedTraining(train, validation, context)
        self.train_stages(self._training, train, context)
        self._training.remove_checkpoints()

    def predict(self, data: Dataset) -> np.ndarray:
        """Predictions of the last stage, shape (n,): in the task's unit, or probabilities."""
        return self._training.predict(self._training.stages[-1], data)

    def predict_stages(self, data: Dataset) -> dict[str, np.ndarray]:
        """Predictions of every stage, if there are several."""
        stages = self._training.stages if len(self._training.stages) > 1 else []
        return {stage.name: self._training.predict(stage, data) for stage in stages}

    def curves(self) -> list[LearningCurve]:
        """The learning curve of every stage."""
        return [stage.history.curve(stage.name, self._training.objective) for stage in self._training.stages]

    def info(self) -> dict[str, Any]:
        """The pretrained networks, the number of weights that the last stage trained, and epochs in all stages."""
        last = self._training.stages[-1].network
        return {
            **self.describe(),
            "trained_parameters": sum(p.numel() for p in last.parameters() if p.requires_grad),
            "epochs": sum(len(stage.history.train) for stage in self._training.stages),
        }

    def loop_settings(self, batch_size: int, learning_rate: float) -> loop.LoopSettings:
        """Settings of a stage.

        Raises:
            ModelError: a hyper-parameter is invalid.
        """
        return loop.LoopSettings(batch_size, learning_rate, self.patience, self.max_epochs, self.precision)


@dataclass(frozen=True)
class Stage:
    """A trained stage.

    Attributes:
        name: what tables call it.
        network: the network as the stage left it.
        make_source: where its inputs come from.
        settings: how it was trained.
        history: losses by epoch.
    """

    name: str
    network: nn.Module
    make_source: MakeSource
    settings: loop.LoopSettings
    history: loop.History


class StagedTraining:
    """Trains stage after stage of one fit.

    Args:
        train: training rows.
        validation: validation rows.
        context: the run.

    Attributes:
        objective: what the stages learn.
        stages: those trained so far.
    """

    def __init__(self, train: Dataset, validation: Dataset, context: RunContext) -> None:
        self._train, self._validation, self._context = train, validation, context
        self._checkpoints = context.cache_dir / f"stages-seed-{context.seed}"
        self.objective = choose_objective(context, np.asarray(train["target"]), rescale=True)
        self.stages: list[Stage] = []

    def run(
        self, name: str, make_network: Callable[[], nn.Module], make_source: MakeSource, settings: loop.LoopSettings
    ) -> nn.Module:
        """Train one stage, or restore it if an interrupted run had finished it.

        Args:
            name: what tables call it.
            make_network: makes the network that the stage starts from.
            make_source: where inputs come from.
            settings: how to train.

        Returns:
            The trained network.
        """
        import torch

        seed = hashlib.sha256(f"{self._context.seed}/{len(self.stages)}/{name}".encode()).digest()
        torch.manual_seed(int.from_bytes(seed[:4], "big"))
        network = make_network().to(self._context.device)
        file = self._checkpoints / f"{len(self.stages)}-{name.replace(' ', '-')}.pt"
        notes, checkpoint = self._context.notes, _read_checkpoint(file, self._context.device)
        if checkpoint is not None:
            network.load_state_dict(checkpoint["network"])
            history = loop.History(**checkpoint["history"])
            notes.extend(checkpoint["notes"])
            notes.append(f"The stage '{name}' was restored from an interrupted run; its training time is not counted.")
        else:
            first_note = len(notes)
            report = loop.Report(self._context.progress, notes, name)
            training = LabelledSource(make_source(self._train, True), self._targets(self._train))
            validation = LabelledSource(make_source(self._validation, False), self._targets(self._validation))
            history = loop.train(network, training, validation, self.objective, settings, report)
            checkpoint = {"network": network.state_dict(), "history": asdict(history), "notes": notes[first_note:]}
            write_atomically(file, partial(torch.save, checkpoint))
        self.stages.append(Stage(name, network, make_source, settings, history))
        return network

    def remove_checkpoints(self) -> None:
        """Remove what was kept for resuming an interrupted run."""
        shutil.rmtree(self._checkpoints, ignore_errors=True)

    def predict(self, stage: Stage, data: Dataset) -> np.ndarray:
        """Predictions of one stage, shape (n,)."""
        outputs = loop.predict(stage.network, stage.make_source(data, False), stage.settings, BatchSplitter([]))
        return self.objective.decode(outputs)

    def _targets(self, data: Dataset) -> torch.Tensor:
        return self.objective.encode(np.asarray(data["target"]), self._context.device)


def _read_checkpoint(file: Path, device: str) -> dict[str, Any] | None:
    """What was kept of a finished stage; None if there is no intact checkpoint."""
    import torch

    try:
        return torch.load(file, map_location=device, weights_only=True)
    except Exception:  # noqa: BLE001 - whatever is wrong with it, the stage can be trained again
        return None
