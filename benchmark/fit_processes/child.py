"""What a process for a fit does: it takes one job, answers, and ends."""

from __future__ import annotations

import pickle
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ..feature_store import Compute, FeatureRows, FeatureStore
from ..fitting import FitJob, preview_fit, run_fit
from ..loading import Code, load_known, load_model
from ..predictor import RunContext
from .failure import describe_error
from .trace import Tracer
from .wire import Wire

_SECONDS_BETWEEN_REPORTS = 0.1


def answer_one(wire: Wire, code: Code) -> None:
    """Take the job that comes on a wire, and answer it there."""
    try:
        message, body = wire.receive()
        wire.send(_answer(message["do"], pickle.loads(body), code, wire))  # noqa: S301 - from the process that evaluates
    except BaseException as error:  # noqa: BLE001 - raised again on the other side
        wire.send(describe_error(error))


def _answer(task: str, given: tuple[Any, ...], code: Code, wire: Wire) -> dict[str, Any]:
    parameters, *rest = given
    if task == "describe":
        loaded = load_model(code, parameters)
        described = {name: value for name, value in vars(loaded.model).items() if name not in ("origin", "predictions")}
        return {"model": described | {"inputs": loaded.model.inputs and list(loaded.model.inputs)}}
    model, *rest = rest
    loaded = load_known(model, code, parameters)
    job, context = _connected(wire, *rest)
    if task == "preview":
        for request in preview_fit(loaded, job, context):
            wire.send({"request": request})
        return {"end": True}
    tracer = Tracer([context.cache_dir, context.work_dir, context.shared_dir])
    answer = run_fit(loaded, job, context)
    return {"answer": answer.model_dump(), "trace": tracer.trace().model_dump()}


def _connected(wire: Wire, job: FitJob, context: RunContext) -> tuple[FitJob, RunContext]:
    """A job whose progress and features go through the wire."""
    last = 0.0

    def report(done: int, total: int, words: str) -> None:
        nonlocal last
        if done >= total or time.monotonic() - last > _SECONDS_BETWEEN_REPORTS:
            last = time.monotonic()
            wire.send({"progress": [int(done), int(total), str(words)]})

    return job, replace(context, progress=report, features=RemoteFeatures(wire))


class RemoteFeatures(FeatureStore):
    """The feature store of the process that evaluates, which alone writes to it.

    Args:
        wire: to that process.
    """

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def rows(
        self, recipe: Mapping[str, Any], keys: Sequence[bytes], compute: Compute, free_of_targets: bool = False
    ) -> FeatureRows:
        """As `FeatureStore.rows`: what is missing is computed here and sent there."""
        self._wire.send({"features": dict(recipe), "free_of_targets": free_of_targets}, b"".join(keys))
        message, body = self._wire.receive()
        if missing := message.get("missing"):
            for block in compute(missing):
                content = np.ascontiguousarray(block, dtype=np.float32)
                self._wire.send({"block": content.shape}, content.tobytes())
            self._wire.send({"computed": True})
            message, body = self._wire.receive()
        file = self._wire.receive_descriptor()
        with open(file, "rb") as rows:  # noqa: PTH123 - a descriptor
            array = np.memmap(rows, np.float32, "r", shape=tuple(message["shape"]))
        return FeatureRows(array, np.frombuffer(body, dtype=np.int64).astype(np.intp))
