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

from ecdbench.tasks.builder.assembly import Plan, build_dataset
from ecdbench.tasks.builder.blueprint import Blueprint
from ecdbench.tasks.builder.crystal import Crystal
from ecdbench.tasks.builder.densities import Volume, read_volume
from ecdbench.tasks.builder.descriptions import Describer
from ecdbench.tasks.builder.ecd_fcc_source import RawFolders, plan_ecd_fcc
from ecdbench.tasks.builder.reduction import reduce_density
from ecdbench.tasks.builder.row import make_row
from ecdbench.tasks.builder.row_store import pack
from ecdbench.tasks.datasets.ecd_fcc import FACTS, PACKAGED

RAW = Path(os.environ["ECDBENCH_DATA"]) / "ecd-fcc"
SIMULATED = int(os.environ.get("ECDBENCH_PERF_SIMULATED", "10000"))


@dataclass(frozen=True)
class Repeated:
    """Real densities under other ids: `sim-00042` is the 42nd of the names, and again the first after the last."""

    raw: RawFolders
    names: tuple[str, ...]

    def density(self, crystal: Crystal) -> Volume:
        return self.raw.density(self._like(crystal))

    def version(self, crystal: Crystal) -> str:
        return self.raw.version(self._like(crystal))

    def _like(self, crystal: Crystal) -> Crystal:
        return Crystal(self.names[int(crystal.id.split("-")[1]) % len(self.names)])


def main() -> None:
    crystals = list(plan_ecd_fcc([RAW], PACKAGED).crystals())
    _per_crystal(crystals)
    for workers in (1, 2):
        _throughput(crystals[:120], workers)
    _simulated(crystals)


def _per_crystal(crystals: list[Crystal]) -> None:
    blueprint, chosen = Blueprint(FACTS, notes="ecd-fcc"), crystals[::19]
    with tempfile.TemporaryDirectory() as folder, Describer(Path(folder)) as describe:
        describe(read_volume(RAW / "densities" / f"{chosen[0].id}.npz").structure.as_dict())  # start the child
        seconds: dict[str, list[float]] = {"reduction": [], "text": [], "total": []}
        for crystal in chosen[1:]:
            started = time.perf_counter()
            volume = read_volume(RAW / "densities" / f"{crystal.id}.npz")
            fresh = Crystal(crystal.id, crystal.properties, crystal.formula, crystal.spacegroup)
            pack(make_row(fresh, volume, blueprint, describe))
            seconds["total"].append(time.perf_counter() - started)
            started = time.perf_counter()
            reduce_density(volume)
            seconds["reduction"].append(time.perf_counter() - started)
            structure = volume.structure.as_dict()
            structure["lattice"]["matrix"][0][0] *= 1 + 1e-5  # another structure for the store of texts
            started = time.perf_counter()
            describe(structure)
            seconds["text"].append(time.perf_counter() - started)
        child = _memory(describe._child.pid)  # type: ignore[union-attr]
    for name, values in seconds.items():
        print(f"{name}: {min(values):.3f} to {max(values):.3f} s per crystal, mean {sum(values) / len(values):.3f} s")
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"peak memory: {own:.0f} MB reading and reducing, {child:.0f} MB robocrystallographer's process")


def _throughput(crystals: list[Crystal], workers: int) -> None:
    made = plan_ecd_fcc([RAW], PACKAGED)
    part = Plan(made.blueprint, made.source, lambda: crystals, len(crystals))
    with tempfile.TemporaryDirectory() as folder:
        marks: list[float] = []
        build_dataset(
            part,
            Path(folder) / "out",
            Path(folder),
            workers=workers,
            progress=lambda *_: marks.append(time.perf_counter()),
        )
    steady = marks[len(marks) // 4 :]  # without the start of the workers
    print(f"{workers} worker(s): {(len(steady) - 1) / (steady[-1] - steady[0]):.1f} crystals/s, texts known")


def _simulated(crystals: list[Crystal]) -> None:
    texts = {crystal.id: crystal.known_text for crystal in crystals}
    names = tuple(texts)
    by_name = {crystal.id: crystal for crystal in crystals}

    def repeated():
        for index in range(SIMULATED):
            like = by_name[names[index % len(names)]]
            yield Crystal(f"sim-{index:05d}", like.properties, like.formula, like.spacegroup, like.known_text)

    source = Repeated(RawFolders((RAW,)), names)
    simulated = Plan(Blueprint(FACTS, notes="ecd-fcc"), source, repeated, SIMULATED)
    seen: list[tuple[float, float]] = []
    stop = threading.Event()

    def watch() -> None:
        while not stop.wait(2):
            seen.append((_memory(os.getpid()), max((_memory(pid) for pid in _children()), default=0.0)))

    started = time.perf_counter()
    with tempfile.TemporaryDirectory(dir=os.environ.get("ECDBENCH_PERF_FOLDER")) as folder:
        threading.Thread(target=watch, daemon=True).start()
        report = build_dataset(
            simulated,
            Path(folder) / "out",
            Path(folder),
            workers=2,
            progress=lambda done, total, failed: done % 2000 == 0 and print(f"  {done} of {total}", flush=True),
        )
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
