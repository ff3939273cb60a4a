"""Finished fits: one seed of one fold each, and the store that makes sure that none is run twice."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import importlib.metadata
import json
import logging
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout
from pydantic import BaseModel, ValidationError

from .credentials import redact
from .environment import package_versions
from .errors import ModelError
from .fit_processes.trace import Trace
from .fitting import FitAnswer
from .model import Model
from .probes import VERSION
from .protocols import Fit, FitKey
from .results import Curve, FitRecord
from .seals import AlteredError, Sealer
from .source import source_of
from .storage import sha256_file
from .task import TaskData

Predictions = dict[str, dict[str, float | None]]
_LOGGER = logging.getLogger(__name__)
_SECONDS_IN_SILENCE = 10.0
_FIT = "fit.json"
_LARGE = 16 * 2**20  # bytes
NOT_ASKED = "not asked"  # the status of a row that a limit leaves out
ERROR = "error"  # the status of a row whose question could not be answered this time


@dataclass(frozen=True)
class Extent:
    """How much is predicted.

    Attributes:
        main_split: the split that ranks.
        limit: only the first so many rows of each split; None for all.
        probes: also predict altered inputs of the split that ranks.
    """

    main_split: str
    limit: int | None = None
    probes: bool = False


class FitOutputs(BaseModel):
    """What a fit produced.

    Attributes:
        record: seed, fold, time and what the predictor says of itself.
        predictions: by split and id; None for a failed one.
        stages: the same by stage, for a model that is trained in stages.
        probes: the same by probe.
        deviations: standard deviations that the model states, by split and id.
        statuses: what it says of single rows, by split and id.
        curves: its learning curves.
        files: sha256 of the files that it read besides its code, by path.
        libraries: versions of the packages that it loaded, by module.
    """

    record: FitRecord
    predictions: Predictions
    stages: dict[str, Predictions] = {}
    probes: dict[str, Predictions] = {}
    deviations: Predictions = {}
    statuses: dict[str, dict[str, str]] = {}
    curves: list[Curve] = []
    files: dict[str, str] = {}
    libraries: dict[str, str] = {}

    @property
    def is_final(self) -> bool:
        """Whether running the fit again would give the same: no row met an error that may pass."""
        return all(status != ERROR for by_row in self.statuses.values() for status in by_row.values())


def cache_key(
    model: Model, data: TaskData, protocol: str, reads_folds: bool, device: str, extent: Extent
) -> str | None:
    """What a fit depends on besides its key, as a hash; None where the model's source is unknown."""
    if model.source is None:
        return None
    parts = {
        "task": [data.task.id, *vars(data.task.target).values()],
        "columns": data.pins(data.inputs, reads_folds),
        "inputs": {name: source_of(type(one)) or type(one).__qualname__ for name, one in data.inputs.items()},
        "scheme": data.options.scheme,
        "protocol": protocol,
        "model": [model.spec.rpartition(":")[2], model.source, repr(sorted(model.parameters.items()))],
        "fingerprint": dict(model.fingerprint),
        "device": device,
        "extent": vars(extent) | ({"probes": VERSION} if extent.probes else {}),
        "packages": package_versions(),
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


class FitStore:
    """Finished fits of one model, task and protocol in a folder.

    The file of a fit is written last and atomically, with a seal; a folder without it is what an interrupt left, and is
    emptied. A fit is used again while its seal holds and what it read and loaded is the same.

    Args:
        folder: where.
        sealer: makes and checks seals.

    Attributes:
        altered: finished fits whose seal was found not to hold.
    """

    def __init__(self, folder: Path, sealer: Sealer) -> None:
        self.folder, self._sealer = folder, sealer
        self.altered: set[FitKey] = set()

    def path(self, key: FitKey) -> Path:
        """The folder of one fit."""
        return self.folder / folder_name(key)

    def read(self, key: FitKey, fit: Fit) -> FitOutputs | None:
        """What a finished fit produced, or None where it is not finished, learnt from other rows, read what has changed
        since, or was altered."""
        file = self.path(key) / _FIT
        if not file.is_file():
            return None
        try:
            outputs = FitOutputs.model_validate_json(self._sealer.opened(file))
        except AlteredError:
            self.altered.add(key)
            return None
        except ValidationError:
            return None
        expected = {split: set(ids) for split, ids in fit.predicted.items()}
        found = {split: set(values) for split, values in outputs.predictions.items()}
        same = found == expected and outputs.record.learnt == rows_learnt(fit) and _is_unchanged(outputs)
        return outputs if same else None

    def clear(self, keys: Iterable[FitKey]) -> None:
        """Forget fits, and what their folds share; not one that another process is running now."""
        for key in keys:
            with contextlib.suppress(Timeout), self.turn(key, waits=False):
                shutil.rmtree(self.path(key), ignore_errors=True)
                shutil.rmtree(self.shared_by_seeds(key), ignore_errors=True)

    def shared_by_seeds(self, key: FitKey) -> Path:
        """A folder for the seeds of one fold. Folds share none: the targets one learns from, another predicts."""
        folder = self.folder / f"cache_{folder_name(key).partition('_')[2]}"
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    @contextlib.contextmanager
    def turn(self, key: FitKey, waits: bool) -> Iterator[None]:
        """Held while a fit runs, so that the same command given twice at once shares the work.

        Where waiting takes long, a line says what is waited for.

        Raises:
            Timeout: another process runs the fit, and this one is not to wait.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(f"{self.path(key)}.lock")
        try:
            lock.acquire(timeout=_SECONDS_IN_SILENCE if waits else 0)
        except Timeout:
            if not waits:
                raise
            _LOGGER.warning(
                "Waiting for another process that is fitting this model to the same rows; if it is suspended, resume "
                "it or end it."
            )
            lock.acquire()
        try:
            yield
        finally:
            lock.release()

    def start(self, key: FitKey) -> Path:
        """An empty work folder for a fit."""
        shutil.rmtree(self.path(key), ignore_errors=True)
        work = self.path(key) / "work"
        work.mkdir(parents=True)
        return work

    def write(self, outputs: FitOutputs) -> None:
        """Mark a fit as finished."""
        self._sealer.write(self.path(outputs.record.key) / _FIT, redact(outputs.model_dump_json()))


def folder_name(key: FitKey) -> str:
    """What the folder of a fit is called, as in `seed-0_fold-3`."""
    size = f"_size-{key.size:g}" if key.size != 1 else ""
    return f"seed-{key.seed}_fold-{key.fold}{size}" + (f"_repeat-{key.repeat}" if key.repeat else "")


def rows_learnt(fit: Fit) -> str:
    """A hash of the rows that a fit learns from: what it is handed with targets."""
    return hashlib.sha256(json.dumps([list(fit.train), list(fit.validation)]).encode()).hexdigest()


def fit_outputs(answer: FitAnswer, record: FitRecord, fit: Fit, extent: Extent, trace: Trace) -> FitOutputs:
    """What a fit answered, by the ids of its rows; rows that a limit left out say so.

    Args:
        answer: in the order of the rows.
        record: its record.
        fit: the rows.
        extent: how much was predicted.
        trace: what it read and loaded.
    """

    def by_id(values: Mapping[str, list[float | None]]) -> Predictions:
        return {split: _by_id(of_split, fit.predicted[split], extent.limit) for split, of_split in values.items()}

    main, said = extent.main_split, answer.statuses
    left_out = {split: ids[extent.limit :] if extent.limit else () for split, ids in fit.predicted.items()}
    return FitOutputs(
        record=record,
        predictions=by_id(answer.predictions),
        stages={stage: by_id(values) for stage, values in answer.stages.items()},
        probes={probe: by_id({main: values}) for probe, values in answer.probes.items()},
        deviations=by_id(answer.deviations),
        statuses={
            split: {m: status for m, status in zip(ids, said.get(split, ()), strict=False) if status is not None}
            | dict.fromkeys(left_out[split], NOT_ASKED)
            for split, ids in fit.predicted.items()
        },
        curves=answer.curves,
        files=file_digests(trace.files),
        libraries={name: found for name in trace.libraries if (found := _installed_version(name))},
    )


def _by_id(values: Sequence[float | None], ids: Sequence[str], limit: int | None) -> dict[str, float | None]:
    """Values by id.

    Raises:
        ModelError: there is not one for each row that was asked for.
    """
    asked = ids[:limit]
    if len(values) != len(asked):
        raise ModelError(
            f"A fit answered {len(values)} predictions for {len(asked)} rows; predict must return one each."
        )
    return dict(zip(asked, values, strict=True)) | dict.fromkeys(ids[len(asked) :])


def file_digests(files: Iterable[str]) -> dict[str, str]:
    """sha256 of files by path, as far as they are there; of a large one, its size and the time of its last change."""
    found = {}
    for file in files:
        with contextlib.suppress(OSError):
            status = Path(file).stat()
            large = status.st_size > _LARGE
            found[file] = f"{status.st_size}, {status.st_mtime_ns}" if large else sha256_file(Path(file))
    return found


def _is_unchanged(outputs: FitOutputs) -> bool:
    """Whether the files and packages that a fit used are as they were."""
    same = all(_installed_version(name) == version for name, version in outputs.libraries.items())
    return same and file_digests(outputs.files) == outputs.files


@functools.cache
def _installed_version(name: str) -> str | None:
    """Version of the package of a name; None where packages and modules have different ones."""
    try:
        return importlib.metadata.version(name)
    except (importlib.metadata.PackageNotFoundError, ValueError):
        return None
