"""Ten-fold frozen InceptionV3 with augmentation on sfe against the same in Keras 3: random weights, equal threads.

Both sides train for exactly EPOCHS epochs a fold (patience is out of reach). Ours passes each image through the network
once per augmented view and keeps the features; Keras passes every image every epoch.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from ecdbench import load_task
from ecdbench.baselines.image_features import pixels
from ecdbench.benchmark.protocols import PROTOCOLS

THREADS = os.environ.get("PERF_THREADS", "2")
EPOCHS = int(os.environ.get("PERF_EPOCHS", "30"))
HERE = Path(__file__).parent


def ours(fresh: bool, cache: Path) -> float:
    """Seconds of `ecdbench evaluate frozen` in a process of its own, start-up included."""
    command = [sys.executable, "-m", "ecdbench", "evaluate", "frozen", "--task", "sfe", "--protocol", "cv", "--quiet"]
    settings = {"weights": "random", "max_epochs": EPOCHS, "patience": EPOCHS}
    command += [f"--set={name}={value}" for name, value in settings.items()] + ["--out", str(cache / "runs")]
    environment = os.environ | {"ECDBENCH_CACHE": str(cache), "OMP_NUM_THREADS": THREADS}
    start = time.perf_counter()
    subprocess.run([*command, *(["--fresh"] if fresh else [])], check=True, env=environment, capture_output=True)
    return time.perf_counter() - start


def keras(python: str, folder: Path) -> float:
    """Seconds of the same in Keras, start-up included."""
    data = load_task("sfe")
    ids = [m for split in ("train", "validation") for m in data.splits[split]]
    rows = data.labelled(ids)
    folds = [(fold.train, fold.validation, fold.predicted["cv"]) for fold in PROTOCOLS.get("cv").plan(data)]
    np.savez(folder / "sfe.npz", images=pixels(rows["image"], 196), targets=np.asarray(rows["target"], np.float32))
    place = {material: i for i, material in enumerate(ids)}
    (folder / "folds.json").write_text(json.dumps([[[place[m] for m in part] for part in fold] for fold in folds]))
    start = time.perf_counter()
    subprocess.run(
        [python, str(HERE / "frozen_keras.py"), str(folder), THREADS, str(EPOCHS)], check=True, capture_output=True
    )
    return time.perf_counter() - start


def main() -> None:
    """Print the times and the ratio."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        first, again, finished = ours(False, folder), ours(True, folder), ours(False, folder)
        print(f"{THREADS} threads, 10 folds of {EPOCHS} epochs: {first:.1f} s from nothing, start-up included")
        print(f"  {again:.1f} s with features from the cache, heads trained again (seconds)")
        print(f"  {finished:.1f} s where everything is finished already")
        python = os.environ.get("KERAS_PYTHON")
        if python is None:
            print(
                "  KERAS_PYTHON is not set: the Keras side was not measured (pip install tensorflow keras, elsewhere)"
            )
            return
        theirs = keras(python, folder)
        print(f"  Keras 3: {theirs:.1f} s; Keras / ours {theirs / first:.1f} (at least 10)")
