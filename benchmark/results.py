"""The record of a run, and the folder it lives in."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, Field, ValidationError

from .difference import Difference
from .errors import DataError
from .scoring import Scores
from .storage import write_atomically, write_text

if TYPE_CHECKING:
    import pandas as pd

SCHEMA_VERSION = 1
_PREDICTION_COLUMNS = {
    "id": "string", "split": "string", "fold": "int64", "seed": "int64",
    "prediction": "float64", "status": "string",
}  # fmt: skip
_OPTIONAL_COLUMNS = {"target_hash": "string", "prediction_std": "float64", "check": "uint32"}


Count = Annotated[int, Field(ge=0, le=10**15)]
Amount = Annotated[float, Field(ge=0, le=1e12, allow_inf_nan=False)]


class ModelRecord(BaseModel):
    """The model of a run: name, what was asked for, hyper-parameters, hash of its source, the columns it says it looks
    at, and what it says of itself."""

    name: str
    spec: str
    parameters: dict[str, Any]
    source_sha256: str | None
    inputs: list[str] | None
    info: dict[str, Any]


class Usage(BaseModel):
    """What a model behind a service took.

    Attributes:
        answers: answers that the predictions rest on; paid once, whenever that was.
        sent: requests sent by this run, repeated ones included; 0 where all answers were there already.
        prompt_tokens: tokens sent for the answers, as the service counts them; None where it does not say.
        completion_tokens: tokens received.
        cost: dollars for the answers; None where a price is unknown.
        seconds_median: seconds from question to answer, half of the answers are faster; None where unknown.
        seconds_p95: 95 % of the answers are faster.
        models: names of the model that the service returned.
        statuses: how many questions ended how.
        cut: how many answers reached the bound on their length.
    """

    answers: Count
    sent: Count
    prompt_tokens: Count | None
    completion_tokens: Count | None
    cost: Amount | None
    seconds_median: Amount | None
    seconds_p95: Amount | None
    models: list[str]
    statuses: dict[str, Count]
    cut: Count = 0


class Probe(BaseModel):
    """Scores on altered inputs, and what the alteration cost: RMSE of the probe minus RMSE of the model."""

    scores: Scores
    difference: Difference
    reading: str


class PartRecord(BaseModel):
    """One fit: its seed and fold, rows learnt from, seconds, what the predictor says of it, what it took of a service,
    notes for the reader."""

    seed: Count
    fold: Count
    n_train: Count
    train_mean: float
    seconds_fit: Amount
    seconds_predict: Amount
    info: dict[str, Any]
    usage: Usage | None = None
    notes: list[str] = []


class Environment(BaseModel):
    """Where a run was made."""

    ecdbench: str
    python: str
    platform: str
    cpu_count: Count
    device: str
    packages: dict[str, str]
    commit: str | None


class Result(BaseModel):
    """Everything a run says, except its predictions (`predictions.parquet` beside it).

    `source` loads the task's data again where `task` alone does not: a folder, or `ORG/NAME@COMMIT/TARGET`.
    `scores` are by split: `train`, `validation`, `holdout` for the fixed protocol, `cv` (out of fold) for
    cross-validation. `stages` are the same by stage, for a model that is trained in stages. `probes` are scores on
    altered inputs of the split that ranks. `limit` is how many rows of each split were asked for, where not all were.
    `rankable` is false where too many predictions failed.
    """

    schema_version: Literal[1] = 1
    task: str
    target: str
    unit: str
    source: str | None = None
    content_sha256: dict[str, str]
    protocol: str
    split: str
    text: str
    channel: str
    seeds: list[int] = Field(min_length=1, max_length=10_000)
    model: ModelRecord
    scores: dict[str, Scores]
    stages: dict[str, dict[str, Scores]] = {}
    probes: dict[str, Probe] = {}
    limit: int | None = None
    train_range: float
    rankable: bool
    parts: list[PartRecord]
    environment: Environment
    created: datetime

    @property
    def notes(self) -> list[str]:
        """What the reader should know, each sentence once."""
        return list(dict.fromkeys(note for part in self.parts for note in part.notes))

    @property
    def usage(self) -> Usage | None:
        """What all parts took of a service; of several parts, seconds are the largest of theirs."""
        used = [part.usage for part in self.parts if part.usage is not None]
        if not used:
            return None

        def total(name: str) -> Any:
            values = [getattr(usage, name) for usage in used]
            return None if None in values else sum(values)

        def largest(name: str) -> float | None:
            return max((v for usage in used if (v := getattr(usage, name)) is not None), default=None)

        counts: Counter[str] = Counter()
        for usage in used:
            counts.update(usage.statuses)
        sums = {name: total(name) for name in ("answers", "sent", "prompt_tokens", "completion_tokens", "cost")}
        return Usage(
            **sums,
            seconds_median=largest("seconds_median"),
            seconds_p95=largest("seconds_p95"),
            models=sorted({model for usage in used for model in usage.models}),
            statuses=dict(counts),
            cut=sum(usage.cut for usage in used),
        )


@dataclass(frozen=True)
class Run:
    """A run on disk."""

    folder: Path
    result: Result

    def predictions(self) -> pd.DataFrame:
        """Columns `id`, `split`, `fold`, `seed`, `prediction`, `status` (`ok`, or why there is none), and where they
        are there `target_hash`, `prediction_std` (where the model states one), and `check` (of a submission).

        Raises:
            DataError: the file is absent or has other columns.
        """
        import pandas as pd

        try:
            frame = pd.read_parquet(self.folder / "predictions.parquet")
            optional = {name: kind for name, kind in _OPTIONAL_COLUMNS.items() if name in frame.columns}
            return frame.astype(_PREDICTION_COLUMNS | optional)
        except (OSError, ValueError, KeyError) as error:
            raise DataError(f"{self.folder} has no readable predictions.parquet; evaluate the model again.") from error


def write_run(folder: Path, result: Result, predictions: pd.DataFrame, probes: pd.DataFrame | None = None) -> Run:
    """Write a run folder; `result.json` comes last, so a folder that has one is complete.

    Args:
        folder: where.
        result: the record.
        predictions: as `Run.predictions` gives them.
        probes: predictions of altered inputs, with a column `probe`, for `probes.parquet`.
    """
    if probes is not None:
        altered = probes
        write_atomically(folder / "probes.parquet", lambda path: altered.to_parquet(path, index=False))
    write_atomically(folder / "predictions.parquet", lambda path: predictions.to_parquet(path, index=False))
    write_text(folder / "result.json", result.model_dump_json(indent=1) + "\n")
    return Run(folder, result)


def read_run(folder: Path) -> Run:
    """Read a run folder.

    Raises:
        DataError: there is no run, or its record is not of this schema.
    """
    file = folder / "result.json"
    if not file.is_file():
        if inner := sorted(folder.glob("*/result.json")):
            raise DataError(f"{folder} holds several runs; give one of them, such as {inner[0].parent}.")
        raise DataError(f"{folder} is no run folder (no result.json); `ecdbench evaluate` prints where it puts a run.")
    try:
        return Run(folder, Result.model_validate_json(file.read_bytes()))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise DataError(f"{file} is not a result of schema {SCHEMA_VERSION} ({where}: {first['msg']}).") from error


def find_runs(roots: Sequence[Path]) -> list[Path]:
    """Every run folder at or under the given folders, in order of path."""
    found = {file.parent for root in roots for file in root.rglob("result.json")}
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
