"""What a model behind a service would ask, without asking it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from .calls import call
from .errors import ModelError
from .evaluator import Setting, context_of
from .protocol import folds_of, main_split
from .resolve import Model
from .task import TaskData


def preview_model(model: Model, data: TaskData, setting: Setting) -> Iterator[dict[str, Any]]:
    """Every request of every seed and fold, as the model's `preview` gives them; nothing is sent, no run is written.

    Raises:
        ModelError: the model asks no service.
    """
    if not model.asks_service:
        raise ModelError(f"{model.name} asks no service, so there is nothing to preview; leave out --dry-run.")
    return _requests(model, data, setting)


def _requests(model: Model, data: TaskData, setting: Setting) -> Iterator[dict[str, Any]]:
    split = main_split(setting.protocol)
    for seed in setting.seeds:
        for fold in folds_of(data, setting.protocol):
            predictor = model.create()
            with tempfile.TemporaryDirectory() as folder:
                context = replace(context_of(data, seed, Path(folder), Path(folder), setting), cache_dir=Path(folder))
                train, validation = data.labelled(fold.train), data.labelled(fold.validation)
                call(model.name, "fit", partial(predictor.fit, train, validation, context))
                rows = data.inputs(fold.predicted[split][: setting.limit])
                yield from call(model.name, "preview", partial(predictor.preview, rows, setting.probes))
