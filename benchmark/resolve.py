"""From what a user writes to a model: one resolver for every command.

Code of a model is imported where its fits run, not here; a file of predictions is read here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from .adapters import read_predictions
from .errors import ModelError
from .fit_processes import workplace
from .fit_processes.workplace import Workplace
from .model import Model, Origin
from .storage import sha256_file
from .unpacking import kind_of, plain_name

_PREDICTION_FILES = (".csv", ".tsv", ".parquet", ".json", ".jsonl", ".ndjson")  # and compressed ones


def resolve(spec: Any, parameters: Mapping[str, Any] | None = None, place: Workplace | None = None) -> Model:
    """Find the model that `spec` means.

    Args:
        spec: a registered name, `file.py[:Class]`, `package.module:Class`, a file of predictions, or in Python a
            predictor class, a predictor, or a scikit-learn estimator.
        parameters: keyword arguments of its `__init__`.
        place: where its code is imported, which is where its fits are made; processes of their own by default.

    Raises:
        ModelError: it cannot be found, imported or built, is not one predictor, or does not take the parameters.
    """
    parameters = dict(parameters or {})
    if isinstance(spec, str) and is_predictions_file(spec):
        return _from_predictions(Path(spec), spec, parameters)
    origin = Origin(spec, None, parameters) if isinstance(spec, str) else Origin("", spec, parameters)
    return replace((place or workplace()).describe(origin), origin=origin)


def is_predictions_file(spec: str) -> bool:
    """Whether what a user wrote means a file of predictions."""
    return kind_of(Path(spec)) in _PREDICTION_FILES


def _from_predictions(path: Path, spec: str, parameters: Mapping[str, Any]) -> Model:
    if not path.is_file():
        raise ModelError(f"There is no predictions file {spec}; give a csv, tsv, parquet, json or jsonl file.")
    if parameters:
        raise ModelError(f"A predictions file has no parameters; leave out {', '.join(parameters)}.")
    predictions = read_predictions(path)
    return Model(Path(plain_name(path)).stem, spec, {}, sha256_file(path), inputs=("id",), predictions=predictions)
