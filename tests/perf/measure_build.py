"""Building datasets: seconds and memory per crystal, throughput by workers, and a simulated build of 10,000 crystals.

The simulated build repeats the real densities of ecd-fcc under made-up ids, with texts that are known already: it shows
how memory behaves, not what a real build takes.
"""

from __future__ import annotations

import os
import resource
import tempfile
import threading
import time
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from ecdbench.tasks.build.blueprint import Blueprint
from ecdbench.tasks.build.build import Plan, Workforce, build_dataset
from ecdbench.tasks.build.describe import Describer
from ecdbench.tasks.build.ecd_fcc import COLUMNS, RawFolder, plan
from ecdbench.tasks.build.material import Material
from ecdbench.tasks.build.plane import PlaneSettings, slice_plane
from ecdbench.tasks.build.row import make_row, pack
from ecdbench.tasks.build.volume import Volume, read_volume
from ecdbench.tasks.ecd_fcc import FACTS, PACKAGED

RAW = Path(os.environ["ECDBENCH_DATA"]) / "ecd-fcc"
SIMULATED = int(os.environ.get("ECDBENCH_PERF_SIMULATED", "10000"))


@dataclass(frozen=True)
class Repeated:
    """Real densities under other ids: `sim-00042` is the 42nd of the names, and again the first after the last."""

    raw: RawFolder
    names: tuple[str, ...]

    def density(self, material: Material) -> Volume:
        return self.raw.density(self._like(material))

    def state(self, material: Material) -> str:
        return self.raw.state(self._like(material))

    def _like(self, material: Material) -> Material:
        return Material(self.names[int(material.id.split("-")[1]) % len(self.names)])


def main() -> None:
    materials = list(plan(RAW, PACKAGED, PlaneSettings(), None).materials())
    _per_crystal(materials)
    for workers in (1, 2):
        _throughput(materials[:120], workers)
    _simulated(materials)


def _per_crystal(materials: list[Material]) -> None:
    blueprint, chosen = Blueprint(FACTS, COLUMNS, notes="ecd-fcc"), materials[::19]
    with tempfile.TemporaryDirectory() as folder, Describer(Path(folder)) as describe:
        describe(read_volume(RAW / "densities" / f"{chosen[0].id}.npz").structure())  # start the child
        seconds: dict[str, list[float]] = {"slice": [], "text": [], "total": []}
        for material in chosen[1:]:
            started = time.perf_counter()
            volume = read_volume(RAW / "densities" / f"{material.id}.npz")
            fresh = Material(material.id, material.properties, material.formula, material.spacegroup)
            pack(make_row(fresh, volume, blueprint, describe))
            seconds["total"].append(time.perf_counter() - started)
            started = time.perf_counter()
            for channel in FACTS.channels:
                slice_plane(volume, channel)
            seconds["slice"].append(time.perf_counter() - started)
            structure = volume.structure()
            structure["lattice"]["matrix"][0][0] *= 1 + 1e-5  # another structure for the store of texts
            started = time.perf_counter()
            describe(structure)
            seconds["text"].append(time.perf_counter() - started)
        child = _memory(describe._child.pid)  # type: ignore[union-attr]
    for name, values in seconds.items():
        print(f"{name}: {min(values):.3f} to {max(values):.3f} s per crystal, mean {sum(values) / len(values):.3f} s")
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"peak memory: {own:.0f} MB reading and slicing, {child:.0f} MB robocrystallographer's process")


def _throughput(materials: list[Material], workers: int) -> None:
    made = plan(RAW, PACKAGED, PlaneSettings(), None)
    part = Plan(made.blueprint, made.source, lambda: materials, len(materials))
    with tempfile.TemporaryDirectory() as folder:
        marks: list[float] = []
        build_dataset(
            part, Path(folder) / "out", Path(folder), Workforce(workers), lambda *_: marks.append(time.perf_counter())
        )
    steady = marks[len(marks) // 4 :]  # without the start of the workers
    print(f"{workers} worker(s): {(len(steady) - 1) / (steady[-1] - steady[0]):.1f} crystals/s, texts known")


def _simulated(materials: list[Material]) -> None:
    texts = {material.id: material.known_text for material in materials}
    names = tuple(texts)
    by_name = {material.id: material for material in materials}

    def repeated():
        for index in range(SIMULATED):
            like = by_name[names[index % len(names)]]
            yield Material(f"sim-{index:05d}", like.properties, like.formula, like.spacegroup, like.known_text)

    source = Repeated(RawFolder(RAW), names)
    simulated = Plan(Blueprint(FACTS, COLUMNS, notes="ecd-fcc"), source, repeated, SIMULATED)
    seen: list[tuple[float, float]] = []
    stop = threading.Event()

    def watch() -> None:
        while not stop.wait(2):
            seen.append((_memory(os.getpid()), max((_memory(pid) for pid in _children()), default=0.0)))

    started = time.perf_counter()
    with tempfile.TemporaryDirectory(dir=os.environ.get("ECDBENCH_PERF_FOLDER")) as folder:
        threading.Thread(target=watch, daemon=True).start()
        report = build_dataset(
            simulated, Path(folder) / "out", Path(folder), Workforce(2),
            lambda done, total, failed: done % 2000 == 0 and print(f"  {done} of {total}", flush=True),
        )  # fmt: skip
        stop.set()
        size = sum(path.stat().st_size for path in (Path(folder) / "out").glob("*.parquet")) / 1e6
    print(f"simulated: {report.rows} rows, {size:.0f} MB, {time.perf_counter() - started:.0f} s with 2 workers")
    tenth = max(1, len(seen) // 10)
    for name, column in (("this process", 0), ("largest worker", 1)):
        steps = [f"{seen[index][column]:.0f}" for index in islice(range(tenth, len(seen), tenth), 10)]
        print(f"  memory of {name} over the build, MB: {' '.join(steps)}")


def _children() -> list[int]:
    path = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children")
    return [int(pid) for pid in path.read_text().split()] if path.exists() else []


def _memory(pid: int) -> float:
    """Resident memory of a process, MB."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS")), 0.0)


if __name__ == "__main__":
    main()
