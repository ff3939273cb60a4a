"""Asking a language model: 200 requests against a server of 0.5 s latency, 1,000 answers read back, memory.

Rows are those of ecd-fcc, repeated under other names and texts; the server is the made-up one of the tests, in a
process of its own.
"""

from __future__ import annotations

import importlib
import json
import math
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import cycle, islice
from pathlib import Path

ROOT = Path(__file__).parents[2]
CONCURRENCY, LATENCY = 16, 0.5
COUNTS = (1_000, 4_000)

_SERVER = """
import importlib.util, sys, time
from pathlib import Path
def load(name):
    spec = importlib.util.spec_from_file_location(name, Path(sys.argv[1]) / "tests" / "servers" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
with load("faults").Serving(load("llm").LanguageModel(latency=float(sys.argv[2]))) as serving:
    print(serving.url, flush=True)
    time.sleep(3600)
"""


class Server:
    """The made-up server in a process of its own."""

    def __init__(self, latency: float) -> None:
        command = [sys.executable, "-c", _SERVER, str(ROOT), str(latency)]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self.url = self._process.stdout.readline().strip() + "/v1"

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *error: object) -> None:
        self._process.kill()
        self._process.wait()


def ask(url: str, folder: Path, count: int) -> tuple[float, float, float]:
    """Ask about so many rows in this process.

    Returns:
        The seconds, those of importing the client before, and the peak of the process' own memory in MiB.
    """
    import threading

    from ecdbench import load_task
    from ecdbench.baselines.in_context import InContext
    from ecdbench.baselines.llm.usage import Service
    from ecdbench.benchmark.feature_store import FeatureStore
    from ecdbench.benchmark.predictor import RunContext
    from ecdbench.benchmark.task import on_disk
    from measure_memory import _watch

    data = load_task("ecd-fcc/k_vrh", text="all")
    train = data.labelled(data.splits["train"])
    features = data.table(data.splits["holdout"][:1]).features

    def rows() -> Iterator[dict[str, list[object]]]:
        for number, sample_id in enumerate(islice(cycle(data.ids), count)):
            row = data.rows[sample_id]
            text = f"{row['text']} Copy {number}."
            image = {"bytes": row["image"], "path": None}
            others = {"density": [row["density"]], "formula": [row["formula"]]}
            yield {"id": [f"{sample_id}/{number}"], "image": [image], "text": [text], **others}

    many = on_disk(rows(), features)
    work = Path(tempfile.mkdtemp(dir=folder))
    service = Service(store=folder / "answers.sqlite", concurrency=CONCURRENCY)
    context = RunContext("t", "k_vrh", "GPa", "", "regression", 0, "cpu", work, work, work, FeatureStore(work), service)
    peak = [0.0]
    model = InContext(model="made-up", base_url=url)
    model.fit(train, train, context)
    list(model.preview(many.select([0]), False))  # what is imported at first use
    start = time.perf_counter()
    importlib.import_module("openai")
    importing = time.perf_counter() - start
    threading.Thread(target=_watch, args=(peak,), daemon=True).start()
    start = time.perf_counter()
    values = model.predict(many)
    seconds = time.perf_counter() - start
    time.sleep(0.1)
    assert len(values) == count and (values > 0).all()
    return seconds, importing, peak[0]


def _in_a_process(url: str, folder: Path, count: int) -> tuple[float, float, float]:
    command = [sys.executable, __file__, url, str(folder), str(count)]
    seconds, importing, peak = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return seconds, importing, peak


def main() -> None:
    """Print seconds beside the ideal, seconds of a repetition, and peaks of memory."""
    with tempfile.TemporaryDirectory() as name, Server(LATENCY) as server:
        seconds, importing, _ = _in_a_process(server.url, Path(name), 200)
        ideal = math.ceil(200 / CONCURRENCY) * LATENCY
        print(
            f"200 requests, {CONCURRENCY} at once, {LATENCY} s each: {seconds:.2f} s, ideal {ideal:.2f} s, "
            f"ratio {seconds / ideal:.3f} ({(seconds + importing) / ideal:.3f} with the import of the client)"
        )
    peaks = []
    for count in COUNTS:
        with tempfile.TemporaryDirectory() as name, Server(0.0) as server:
            first, _, peak = _in_a_process(server.url, Path(name), count)
            again, _, _ = _in_a_process(server.url, Path(name), count)
            peaks.append(peak)
            print(f"{count} samples: asked in {first:.1f} s, read back in {again:.2f} s, peak memory {peak:.0f} MiB")
    print(f"memory, {COUNTS[1]} samples against {COUNTS[0]}: {peaks[1] - peaks[0]:+.0f} MiB")


if __name__ == "__main__":
    print(json.dumps(ask(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))))
