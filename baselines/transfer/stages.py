"""Training in stages: each starts from the one before, is recorded on its own, and is not repeated after an
interrupt."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from ...benchmark.storage import write_atomically, write_json
from ..training import loop
from ..training.curves import draw_curves
from ..training.memory import Halving
from ..training.scale import TargetScale

if TYPE_CHECKING:
    from pathlib import Path

    from datasets import Dataset
    from torch import nn

    from ...benchmark.predictor import RunContext
    from ..training.sources import Source

# From rows, and whether they are trained on, to what the network of a stage takes.
SourceOf = Callable[["Dataset", bool], "Source"]


@dataclass(frozen=True)
class Stage:
    """A trained stage.

    Attributes:
        name: what it is called in tables.
        network: as the stage left it.
        source_of: where its inputs come from.
        settings: how it was trained.
        history: losses by epoch, on the scale of the targets.
    """

    name: str
    network: nn.Module
    source_of: SourceOf
    settings: loop.LoopSettings
    history: loop.History


class StagedTraining:
    """Trains stage after stage on the rows of one part.

    Args:
        train: training rows.
        validation: validation rows.
        context: the run.
    """

    def __init__(self, train: Dataset, validation: Dataset, context: RunContext) -> None:
        self._train, self._validation, self._context = train, validation, context
        self.scale = TargetScale.of(np.asarray(train["target"]))
        self._targets, self._watched = (
            self.scale.scaled(np.asarray(data["target"]), context.device) for data in (train, validation)
        )
        self._checkpoints = context.cache_dir / f"stages-seed-{context.seed}"
        self.stages: list[Stage] = []

    def run(
        self, name: str, make: Callable[[], nn.Module], source_of: SourceOf, settings: loop.LoopSettings
    ) -> nn.Module:
        """Train one stage, or read it where an interrupted run had finished it.

        Args:
            name: what it is called.
            make: the network as the stage before left it.
            source_of: where inputs come from.
            settings: how to train.

        Returns:
            The trained network.
        """
        import torch

        seed = hashlib.sha256(f"{self._context.seed}/{len(self.stages)}/{name}".encode()).digest()
        torch.manual_seed(int.from_bytes(seed[:4], "big"))
        network = make().to(self._context.device)
        file = self._checkpoints / f"{len(self.stages)}-{name.replace(' ', '-')}.pt"
        content = _read(file, self._context.device)
        if content is not None:
            network.load_state_dict(content["network"])
            history = loop.History(**content["history"])
            self._context.notes.extend(content["notes"])
            self._context.notes.append(f"The stage '{name}' was finished before an interrupt; its time is not counted.")
        else:
            said = len(self._context.notes)
            report = loop.Report(self._context.progress, self._context.notes, name)
            source, watched = source_of(self._train, True), source_of(self._validation, False)
            history = loop.train(network, source, self._targets, watched, self._watched, settings, report)
            notes = self._context.notes[said:]
            content = {"network": network.state_dict(), "history": history.as_dict(), "notes": notes}
            write_atomically(file, partial(torch.save, content))
        self.stages.append(Stage(name, network, source_of, settings, history))
        return network

    def finish(self) -> None:
        """Write the stages and their learning curves to the work folder; what was kept for resuming goes."""
        records = {stage.name: self._record(stage) for stage in self.stages}
        write_json(self._context.work_dir / "stages.json", records)
        draw_curves(
            {name: record["rmse"] for name, record in records.items()},
            self._context.unit,
            self._context.work_dir / "learning_curves.png",
        )
        shutil.rmtree(self._checkpoints, ignore_errors=True)

    def predict(self, stage: Stage, data: Dataset) -> np.ndarray:
        """Predictions of one stage in task units, shape (n,)."""
        output = loop.predict(stage.network, stage.source_of(data, False), stage.settings, Halving([]))
        return self.scale.restored(output)

    def _record(self, stage: Stage) -> dict[str, Any]:
        curves = {"train": stage.history.train, "validation": stage.history.validation}
        return {
            "epochs": len(stage.history.train),
            "best_epoch": stage.history.best_epoch,
            "learning_rate": stage.settings.learning_rate,
            "batch_size": stage.settings.batch_size,
            "rmse": {name: (np.sqrt(losses) * self.scale.unit).tolist() for name, losses in curves.items()},
        }


def _read(file: Path, device: str) -> dict[str, Any] | None:
    """What is kept of a finished stage; None where there is none, or not a whole one."""
    import torch

    try:
        return torch.load(file, map_location=device, weights_only=True)
    except Exception:  # noqa: BLE001 - whatever is wrong with it, the stage can be trained again
        return None


class StagedPredictor:
    """Base of the models that are trained in stages. A subclass says what they are in `train_stages`."""

    extra = "torch"

    def train_stages(self, training: StagedTraining, train: Dataset, context: RunContext) -> None:
        """Call `training.run` for each stage."""
        raise NotImplementedError

    def fit(self, train: Dataset, validation: Dataset, context: RunContext) -> None:
        """Train the stages; `stages.json` and `learning_curves.png` go to the work folder."""
        loop.require_torch()
        loop.check_device(context.device)
        loop.keep_freed_memory(context.device)
        self._training = StagedTraining(train, validation, context)
        self.train_stages(self._training, train, context)
        self._training.finish()

    def predict(self, data: Dataset) -> np.ndarray:
        """Predict by the last stage, shape (n,)."""
        return self._training.predict(self._training.stages[-1], data)

    def predict_stages(self, data: Dataset) -> dict[str, np.ndarray]:
        """Predictions by every stage, where there are several."""
        stages = self._training.stages if len(self._training.stages) > 1 else []
        return {stage.name: self._training.predict(stage, data) for stage in stages}

    def info(self) -> dict[str, Any]:
        """Number of weights, how many the last stage trained, and epochs by stage."""
        last = self._training.stages[-1].network
        return {
            "trained_parameters": sum(p.numel() for p in last.parameters() if p.requires_grad),
            "epochs": sum(len(stage.history.train) for stage in self._training.stages),
        }
