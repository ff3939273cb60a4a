"""What models reach that read nothing worth the name, on each of a task's splits."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

from pydantic import BaseModel

from ...benchmark.errors import EcdbenchError
from ...benchmark.evaluator import Setting, evaluate_model
from ...benchmark.protocol import main_split
from ...benchmark.resolve import resolve
from ...benchmark.scoring import Score
from ..load import load_task

# The floor, the two look-ups, and the simplest models of composition and image: what each is called here, and is.
MODELS: dict[str, tuple[str, dict[str, int]]] = {
    "mean": ("mean", {}),
    "nearest-composition": ("knn-composition", {"neighbours": 1}),
    "nearest-image": ("nearest-image", {}),
    "composition-forest": ("composition-forest", {}),
    "pixel-ridge": ("pixel-ridge", {}),
}
LOOKUPS = ("nearest-composition", "nearest-image")
Progress = Callable[[int, int, str], None]


class Floor(BaseModel):
    """What a model reaches on one split scheme and protocol."""

    model: str
    scheme: str
    protocol: str
    n: int
    rmse: Score
    r2: Score


def audit_floors(
    task: str, schemes: list[str], data_dir: Path | None, cache: Path, progress: Progress
) -> tuple[list[Floor], list[str]]:
    """Evaluate the floor models: the official holdout, and ten folds of every scheme.

    Args:
        task: as for `load_task`.
        schemes: split schemes, the official one first.
        data_dir: where datasets that are not packaged are.
        cache: where finished parts are kept.
        progress: called with how many are done, how many there are, and the next one's name.

    Returns:
        Scores, and a sentence for each model that cannot be evaluated.
    """
    jobs = [(model, schemes[0], "fixed") for model in MODELS]
    jobs += [(model, scheme, "cv") for model in MODELS for scheme in schemes]
    floors, failures = [], dict[str, str]()
    with tempfile.TemporaryDirectory() as out:
        for done, (model, scheme, protocol) in enumerate(jobs):
            progress(done, len(jobs), f"{model}, {scheme}, {protocol}")
            try:
                data = load_task(task, split=scheme, data_dir=data_dir)
                setting = Setting(protocol, [0], "cpu", Path(out), cache)
                scores = evaluate_model(resolve(*MODELS[model]), data, setting).result.scores
            except EcdbenchError as error:
                failures[model] = f"{model}: {error}"
                continue
            one = scores[main_split(protocol)]
            floors.append(Floor(model=model, scheme=scheme, protocol=protocol, n=one.n, rmse=one.rmse, r2=one.r2))
    return floors, list(failures.values())
