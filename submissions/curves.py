"""Learning curves: errors by epoch, as training left them in a run's artifacts, in one small file."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from ..benchmark.errors import DataError

_MOST_POINTS = 120


Number = Annotated[float, Field(allow_inf_nan=False, ge=0, le=1e12)]
Epoch = Annotated[int, Field(ge=0, le=10**7)]


class Curve(BaseModel):
    """RMSE by epoch of one stage of one training, thinned out; `epochs` numbers the points."""

    model_config = ConfigDict(extra="forbid", strict=True)

    stage: str = Field(max_length=80)
    epochs: list[Epoch] = Field(min_length=1, max_length=_MOST_POINTS)
    train: list[Number | None] = Field(max_length=_MOST_POINTS)
    validation: list[Number | None] = Field(max_length=_MOST_POINTS)
    best_epoch: Epoch

    @model_validator(mode="after")
    def _fits(self) -> Curve:
        if not len(self.epochs) == len(self.train) == len(self.validation):
            raise ValueError("each epoch has one error of train and one of validation")
        return self


class Curves(BaseModel):
    """The curves of the first seed and fold, one per stage."""

    model_config = ConfigDict(extra="forbid")

    curves: list[Curve] = Field(max_length=12)


def curves_of(run_folder: Path) -> Curves | None:
    """The curves of a run's first part; None where its model has none."""
    for folder in sorted((run_folder / "artifacts").glob("seed-*_fold-*")):
        try:
            return _found(folder)
        except Exception:  # noqa: BLE001 - another model's own files of that name, with whatever in them
            return None
    return None


def _found(folder: Path) -> Curves | None:
    staged, single = folder / "stages.json", folder / "history.json"
    if staged.is_file():
        stages = json.loads(staged.read_text())
        return Curves(
            curves=[
                _curve(stage, content["rmse"]["train"], content["rmse"]["validation"], content["best_epoch"])
                for stage, content in stages.items()
            ]
        )
    if single.is_file():
        content = json.loads(single.read_text())
        train, validation = ([loss**0.5 for loss in content[name]] for name in ("train", "validation"))
        return Curves(curves=[_curve("training", train, validation, content["best_epoch"])])
    return None


def read_curves(path: Path) -> Curves | None:
    """The curves of an entry's run, where it has any.

    Raises:
        DataError: the file is not what `curves_of` gives.
    """
    if not path.is_file():
        return None
    try:
        return Curves.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise DataError(f"{path} does not hold learning curves as `ecdbench submit` writes them.") from error


def _curve(stage: str, train: list[Any], validation: list[Any], best: int) -> Curve:
    last = len(train) - 1
    step = max(1, -(-len(train) // (_MOST_POINTS - 2)))
    kept = sorted({*range(0, len(train), step), last, min(best, last)}) if train else []

    def thinned(values: list[Any]) -> list[float | None]:
        return [float(f"{values[i]:.4g}") if math.isfinite(values[i]) else None for i in kept]

    return Curve(stage=stage, epochs=kept, train=thinned(train), validation=thinned(validation), best_epoch=best)
