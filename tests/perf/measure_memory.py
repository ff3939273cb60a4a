"""Memory while features of 1,000 and of 10,000 images are computed: it must not grow with their number.

The images are synthetic (smooth noise at the size of an sfe image) and come from a file on disk, as a dataset of that
size would. What counts is memory of the process' own; pages of mapped files are the system's to drop.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
from PIL import Image

CEILING_MIB = 1500
COUNTS = (1_000, 10_000)
NETWORK = os.environ.get("PERF_NETWORK", "inception_v3")


def write_images(folder: Path, count: int) -> None:
    """Write a dataset of images."""
    from datasets import Dataset, Features, disable_progress_bars
    from datasets import Image as ImageFeature

    disable_progress_bars()
    generator = np.random.default_rng(0)

    def rows():  # type: ignore[no-untyped-def]
        for _ in range(count):
            noise = Image.fromarray(generator.integers(0, 255, (10, 26, 3), dtype=np.uint8))
            yield {"image": noise.resize((392, 146), Image.Resampling.BICUBIC)}

    data = Dataset.from_generator(rows, features=Features(image=ImageFeature()), cache_dir=str(folder / "cache"))
    data.save_to_disk(folder / "images")


def compute(folder: Path) -> None:
    """Compute features of the images in a folder, and print the peak of this process' own memory in MiB."""
    peak = [0.0]
    threading.Thread(target=_watch, args=(peak,), daemon=True).start()
    from datasets import load_from_disk
    from ecdbench.baselines.transfer.image_batches import StoredImages
    from ecdbench.baselines.transfer.image_encoder import ImageEncoder, ImageOptions
    from ecdbench.benchmark.feature_store import FeatureStore
    from ecdbench.benchmark.predictor import RunContext

    data = load_from_disk(folder / "images")
    store = FeatureStore(folder / "features")
    context = RunContext("sfe", "sfe", "mJ/m2", "", "regression", 0, "cpu", folder, folder, folder, store)
    options = ImageOptions(NETWORK, "random", None, 0, "auto")
    source = ImageEncoder(options, data, context).inputs_of(0)(data, False)
    assert len(source) == len(data) == len(StoredImages(data))
    assert np.isfinite(source.batch(np.array([0, len(data) - 1]), False)[0].numpy()).all()
    print(peak[0])


def _watch(peak: list[float]) -> None:
    while True:
        lines = Path("/proc/self/status").read_text().splitlines()
        own = next(int(line.split()[1]) for line in lines if line.startswith("RssAnon"))
        peak[0] = max(peak[0], own / 1024)
        time.sleep(0.02)


def main() -> None:
    """Print the peaks."""
    peaks = []
    for count in COUNTS:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            write_images(folder, count)
            command = [sys.executable, __file__, str(folder)]
            output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            peaks.append(float(output.split()[-1]))
            print(f"{count:,} images through {NETWORK}: peak {peaks[-1]:.0f} MiB", flush=True)
    print(
        f"  at most {CEILING_MIB} MiB; growth {peaks[1] - peaks[0]:+.0f} MiB for {COUNTS[1] - COUNTS[0]:,} images more"
    )
    assert max(peaks) < CEILING_MIB


if __name__ == "__main__":
    compute(Path(sys.argv[1])) if len(sys.argv) > 1 else main()
