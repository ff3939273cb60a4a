"""Scores of trivial baselines on each of a task's splits."""

from __future__ import annotations

import tempfile
from pathlib import Path

from pydantic import BaseModel

from ...benchmark.errors import EcdbenchError
from ...benchmark.evaluator import Setting, evaluate_model
from ...benchmark.fit_processes import workplace
from ...benchmark.predictor import Progress
from ...benchmark.protocols import PROTOCOLS
from ...benchmark.resolve import resolve
from ...benchmark.scoring import Scores
from ...tasks.catalogue import load_task

# The floor, the two look-ups, and the simplest models of composition and image: name, registered model, parameters.
MODELS: dict[str, tuple[str, dict[str, int]]] = {
    "mean": ("mean", {}),
    "nearest-composition": ("knn-composition", {"neighbours": 1}),
    "nearest-image": ("nearest-image", {}),
    "composition-forest": ("composition-forest", {}),
    "pixel-ridge": ("pixel-ridge", {}),
}
LOOKUPS = ("nearest-composition", "nearest-image")


class BaselineScores(BaseModel):
    """Scores of a model on one split scheme and protocol."""

    model: str
    scheme: str
    protocol: str
    scores: Scores


def evaluate_baselines(
    task: str, schemes: list[str], data_dir: Path | None, cache: Path, progress: Progress
) -> tuple[list[BaselineScores], list[str]]:
    """Evaluate the trivial baselines: the official holdout, and ten folds of every scheme.

    Args:
        task: as for `load_task`.
        schemes: split schemes, the official one first.
        data_dir: where datasets that are not packaged are.
        cache: where finished fits are kept.
        progress: called with how many are done, how many there are, and the next one's name.

    Returns:
        Scores, and a sentence for each model that cannot be evaluated.
    """
    jobs = [(model, schemes[0], "fixed") for model in MODELS]
    jobs += [(model, scheme, "cv") for model in MODELS for scheme in schemes]
    found, failures = [], dict[str, str]()
    with tempfile.TemporaryDirectory() as out:
        for done, (model, scheme, protocol) in enumerate(jobs):
            progress(done, len(jobs), f"{model}, {scheme}, {protocol}")
            try:
                data = load_task(task, split=scheme, data_dir=data_dir)
                # Our own models, and hundreds of fits that take less time than a process of their own would.
                setting = Setting(protocol, [0], "cpu", Path(out), cache, place=workplace("none"))
                scores = evaluate_model(resolve(*MODELS[model], setting.place), data, setting).result.scores
            except EcdbenchError as error:
                failures[model] = f"{model}: {error}"
                continue
            main = scores[PROTOCOLS.get(protocol).main_split]
            found.append(BaselineScores(model=model, scheme=scheme, protocol=protocol, scores=main))
    return found, list(failures.values())
