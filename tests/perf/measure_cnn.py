"""One scratch-CNN epoch on sfe against the same network in Keras 3, at equal threads, in turns."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from ecdbench.baselines.image_features import pixels
from ecdbench.tasks.catalogue import load_task

THREADS = (1, 2)
ROUNDS = 2
EPOCHS = 6  # the first two are warm-up
HERE = Path(__file__).parent


def best_epoch(python: str, script: str, *arguments: str) -> float:
    """Run one side in a process of its own; the shortest epoch after warm-up, s."""
    command = [python, str(HERE / script), *arguments]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    return min(float(line) for line in lines[2:])


def main() -> None:
    """Print a line per number of threads."""
    data = load_task("sfe", split="authors")
    train = data.labelled(data.splits["train"])
    keras = os.environ.get("KERAS_PYTHON")
    with tempfile.TemporaryDirectory() as folder:
        file = str(Path(folder) / "train.npz")
        np.savez(file, images=pixels(train["image"], 196), targets=np.asarray(train["target"], np.float32))
        for threads in map(str, THREADS):
            times: dict[str, list[float]] = {}
            for _ in range(ROUNDS):  # in turns, because the machine is not always equally fast
                for precision in ("float32", "bfloat16"):
                    found = best_epoch(sys.executable, "epoch_torch.py", file, threads, precision, str(EPOCHS))
                    times.setdefault(precision, []).append(found)
                if keras:
                    times.setdefault("keras", []).append(
                        best_epoch(keras, "epoch_keras.py", file, threads, str(EPOCHS))
                    )
            best = {name: min(values) for name, values in times.items()}
            print(f"{threads} thread(s): " + ", ".join(f"{name} {value:.2f} s" for name, value in best.items()))
            if keras:
                print(
                    f"  float32 / Keras {best['float32'] / best['keras']:.2f} (at most 1.05), "
                    f"bfloat16 / Keras {best['bfloat16'] / best['keras']:.2f} (at most 0.6)"
                )
    if not keras:
        print("  KERAS_PYTHON is not set: the Keras side was not measured (pip install tensorflow keras, elsewhere)")
