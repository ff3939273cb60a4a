"""The record of a run, and the folder it lives in."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from .credentials import redact
from .differences import Difference
from .errors import DataError
from .metrics import Kind
from .predictor import LearningCurve
from .protocols import FitKey
from .run_ledger import RunLedger
from .scoring import Scores
from .storage import clear_parts, write_atomically, write_text
from .user_folders import default_cache

if TYPE_CHECKING:
    import pandas as pd

SCHEMA_VERSION: Literal[2] = 2
RESULT, PREDICTIONS, PROBES, CURVES = "result.json", "predictions.parquet", "probes.parquet", "curves.json"
RUN_FILES = (RESULT, PREDICTIONS, PROBES, CURVES)
_PREDICTION_COLUMNS = {
    "id": "string", "split": "string", "fold": "int64", "seed": "int64",
    "prediction": "float64", "status": "string",
}  # fmt: skip
_OPTIONAL_COLUMNS = {
    "size": "float64", "repeat": "int64", "prediction_std": "float64", "check": "uint32",
}  # fmt: skip
_MOST_POINTS = 120

Count = Annotated[int, Field(ge=0, le=10**15)]
Amount = Annotated[float, Field(ge=0, le=1e12, allow_inf_nan=False)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class ModelRecord(BaseModel):
    """The model of a run.

    Attributes:
        name: what tables call it.
        spec: what the user wrote.
        parameters: hyper-parameters that were given.
        source_sha256: hash of its source; None where it cannot be known.
        inputs: the inputs it was handed, which are those that it states; None where it states none.
        info: what it says of itself.
    """

    name: str
    spec: str
    parameters: dict[str, Any]
    source_sha256: str | None
    inputs: list[str] | None
    info: dict[str, Any]


class Probe(BaseModel):
    """Scores on altered inputs, and what the alteration cost: the main metric of the probe minus that of the model."""

    scores: Scores
    difference: Difference
    reading: str


class FitRecord(BaseModel):
    """One fit.

    Attributes:
        seed: its seed.
        fold: its fold.
        size: share of the training rows it learnt from.
        repeat: its repetition.
        n_train: rows learnt from.
        train_mean: mean of their targets.
        seconds_fit: seconds that fitting took.
        seconds_predict: seconds that predicting took.
        info: what the predictor says of itself.
        usage: what it took of a service, as `ecdbench.baselines.llm.usage.Usage` has it.
        notes: sentences for readers of the result.
        n_validation: rows that it was handed with targets to stop or choose by.
        learnt: hash of the ids that it was handed with targets.
        warnings: how often Python was asked to warn, by category and text.
    """

    seed: Count
    fold: Count
    size: Annotated[float, Field(gt=0, le=1)] = 1.0
    repeat: Count = 0
    n_train: Count
    train_mean: float
    seconds_fit: Amount
    seconds_predict: Amount
    info: dict[str, Any]
    usage: dict[str, Any] | None = None
    notes: list[str] = []
    n_validation: Count | None = None
    learnt: Sha256 | None = None
    warnings: dict[str, Count] = {}

    @property
    def key(self) -> FitKey:
        """What tells it from the other fits of its run."""
        return FitKey(self.seed, self.fold, self.size, self.repeat)


class Environment(BaseModel):
    """Where a run was made; `isolation` says what its fits were kept from, see `ecdbench.evaluate`."""

    ecdbench: str
    python: str
    platform: str
    cpu_count: Count
    device: str
    packages: dict[str, str]
    commit: str | None
    isolation: str | None = None


class Result(BaseModel):
    """Everything a run says, except its predictions (`predictions.parquet` beside it).

    Attributes:
        schema_version: of this record.
        task: task id.
        target: name of the target.
        unit: its unit.
        kind: `regression` or `classification`.
        metric: name of the metric that ranks.
        source: loads the task's data again where `task` alone does not: a folder, or `ORG/NAME@COMMIT/TARGET`.
        columns: sha256 of what the run read, by column of the dataset.
        protocol: spec of the protocol, as in `cv` or `cv,repeats=3`.
        split: split scheme.
        text: text tier.
        channel: density channel.
        seeds: one fit per seed and fold.
        model: the model.
        scores: by split: `train`, `validation`, `holdout` for the fixed protocol, `cv` (out of fold) for
            cross-validation.
        stages: the same by stage, for a model that is trained in stages.
        folds: scores of each fold that has a name, such as a cluster that is held out, on the split that ranks.
        probes: scores on altered inputs of the split that ranks.
        limit: how many rows of each split were asked for, where not all were.
        train_range: maximum minus minimum of the targets that are learnt from.
        rankable: false where too many predictions failed.
        fits: one record per fit.
        holdout_scored: how many versions of this model, by code and parameters, had been scored on this holdout on the
            machine of the run, this one included; None where the protocol does not score it.
        environment: where it was made.
        created: when, UTC.
    """

    schema_version: Literal[2]
    task: str
    target: str
    unit: str
    kind: Kind = "regression"
    metric: str = "rmse"
    source: str | None = None
    columns: dict[str, Sha256]
    protocol: str
    split: str
    text: str
    channel: str
    seeds: list[int] = Field(min_length=1, max_length=10_000)
    model: ModelRecord
    scores: dict[str, Scores] = {}
    stages: dict[str, dict[str, Scores]] = {}
    folds: dict[str, Scores] = {}
    probes: dict[str, Probe] = {}
    limit: int | None = None
    train_range: float
    rankable: bool
    fits: list[FitRecord]
    holdout_scored: Count | None = None
    environment: Environment
    created: datetime

    @property
    def warnings(self) -> dict[str, int]:
        """The warnings of all fits, the most frequent first."""
        return dict(sum((Counter(fit.warnings) for fit in self.fits), Counter[str]()).most_common())

    @property
    def notes(self) -> list[str]:
        """What readers should know, each sentence once."""
        return list(dict.fromkeys(note for fit in self.fits for note in fit.notes))


Error = Annotated[float, Field(allow_inf_nan=False, ge=0, le=1e12)]
Epoch = Annotated[int, Field(ge=0, le=10**7)]


class Curve(BaseModel):
    """A `LearningCurve`, thinned out to a hundred points; `epochs` numbers them, None is not a finite error."""

    model_config = ConfigDict(extra="forbid", strict=True)

    stage: str = Field(max_length=80)
    epochs: list[Epoch] = Field(min_length=1, max_length=_MOST_POINTS)
    train: list[Error | None] = Field(max_length=_MOST_POINTS)
    validation: list[Error | None] = Field(max_length=_MOST_POINTS)
    best_epoch: Epoch

    @model_validator(mode="after")
    def _fits(self) -> Curve:
        if not len(self.epochs) == len(self.train) == len(self.validation):
            raise ValueError("each epoch needs one error of train and one of validation")
        return self


class Curves(BaseModel):
    """The learning curves of a run's first fit, one per stage: `curves.json`."""

    model_config = ConfigDict(extra="forbid")

    curves: list[Curve] = Field(max_length=12)


def thinned(curve: LearningCurve) -> Curve:
    """A learning curve for the record: four digits, a hundred points, the first, last and best epoch among them."""
    train, validation = list(curve.train), list(curve.validation)
    last = len(train) - 1
    step = max(1, -(-len(train) // (_MOST_POINTS - 2)))
    kept = sorted({*range(0, len(train), step), last, min(curve.best_epoch, last)}) if train else []

    def at_kept(values: list[float]) -> list[float | None]:
        return [float(f"{v:.4g}") if math.isfinite(v) and 0 <= v <= 1e12 else None for v in (values[i] for i in kept)]

    return Curve(
        stage=curve.stage[:80],
        epochs=kept,
        train=at_kept(train),
        validation=at_kept(validation),
        best_epoch=curve.best_epoch,
    )


@dataclass(frozen=True)
class Run:
    """A run on disk."""

    folder: Path
    result: Result

    def predictions(self) -> pd.DataFrame:
        """Columns `id`, `split`, `fold`, `seed`, `prediction`, `status` (`ok`, or why there is none), and where they
        apply `size` (share of the training rows), `repeat`, `prediction_std` and `check` (of a
        submission).

        Raises:
            DataError: the file is absent or has other columns.
        """
        import pandas as pd

        try:
            frame = pd.read_parquet(self.folder / PREDICTIONS)
            optional = {name: kind for name, kind in _OPTIONAL_COLUMNS.items() if name in frame.columns}
            return frame.astype(_PREDICTION_COLUMNS | optional)
        except (OSError, ValueError, KeyError) as error:
            raise DataError(f"{self.folder} has no readable {PREDICTIONS}; evaluate the model again.") from error

    def curves(self) -> Curves | None:
        """The learning curves of the first fit; None where the model has none.

        Raises:
            DataError: the file does not hold learning curves.
        """
        file = self.folder / CURVES
        if not file.is_file():
            return None
        try:
            return Curves.model_validate_json(file.read_bytes())
        except ValidationError as error:
            raise DataError(f"{file} does not hold learning curves as `ecdbench evaluate` writes them.") from error


def write_run(
    folder: Path,
    result: Result,
    predictions: pd.DataFrame,
    probes: pd.DataFrame | None = None,
    curves: Curves | None = None,
) -> Run:
    """Write a run folder; `result.json` comes last, so a folder that has one is complete.

    Args:
        folder: where.
        result: the record.
        predictions: as `Run.predictions` gives them.
        probes: predictions of altered inputs, with a column `probe`.
        curves: learning curves, where there are any.
    """
    clear_parts(folder)
    tables = {PREDICTIONS: predictions} | ({} if probes is None else {PROBES: probes})
    for name, table in tables.items():
        write_atomically(folder / name, partial(table.to_parquet, index=False))
    if curves is None or not curves.curves:
        (folder / CURVES).unlink(missing_ok=True)
    else:
        write_text(folder / CURVES, curves.model_dump_json() + "\n")
    write_text(folder / RESULT, redact(result.model_dump_json(indent=1)) + "\n")
    return Run(folder, result)


def read_run(folder: Path) -> Run:
    """Read a run folder.

    Raises:
        DataError: there is no run, its record is not of this schema, or it was made here and changed since.
    """
    file = folder / RESULT
    if not file.is_file():
        if inner := sorted(folder.glob(f"*/{RESULT}")):
            raise DataError(f"{folder} holds several runs; name one of them, such as {inner[0].parent}.")
        raise DataError(
            f"{folder} is not a run folder (it has no {RESULT}); `ecdbench evaluate` prints the folder of a run."
        )
    if changed := RunLedger(default_cache()).changed(folder):
        raise DataError(f"{folder / changed[0]} was changed after the run was made; evaluate the model again.")
    try:
        return Run(folder, Result.model_validate_json(file.read_bytes()))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part)[:60] for part in first["loc"])
        if where == "schema_version":
            raise DataError(
                f"{file} is not a result of schema {SCHEMA_VERSION}; evaluate the model again, or, for an entry of "
                "version 0.1, run `python -m ecdbench.submissions.migrate ENTRIES`."
            ) from error
        raise DataError(
            f"{file} is not a result of schema {SCHEMA_VERSION} ({where}: {first['msg']}); evaluate the model again."
        ) from error


def find_runs(roots: Sequence[Path]) -> list[Path]:
    """Every run folder at or under the given folders, in order of path."""
    found = {file.parent for root in roots for file in root.rglob(RESULT)}
    return sorted(folder for folder in found if "artifacts" not in folder.parts)


def now() -> datetime:
    """The time, in UTC, to the second."""
    return datetime.now(UTC).replace(microsecond=0)


def plain(value: Any) -> Any:
    """A value as JSON holds it; what JSON cannot hold becomes its repr."""
    return json.loads(json.dumps(value, default=_plain_scalar))


def _plain_scalar(value: Any) -> Any:
    item = getattr(value, "item", None)
    return item() if callable(item) and getattr(value, "ndim", 1) == 0 else repr(value)
