"""Kill commands at random moments, and at every call that changes a folder or waits for the disk; then run them again.

    python tests/perf/run.py kills            # 100 random kills, and at most 12 of each system call and command

Counted are commands whose second run ends otherwise than one that was never killed (`differing`), finished units that
were made again or are missing (`lost`), files that the second run leaves behind and the undisturbed one does not
(`litter`), and answers that were paid twice, beside those in flight. Needs strace.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from ecdbench.submissions.card import TEMPLATE

ROOT = Path(__file__).parents[2]
CALLS = {
    "rename": "rename,renameat,renameat2",
    "fsync": "fsync,fdatasync",
    "unlink": "unlink,unlinkat,rmdir",
    "mkdir": "mkdir,mkdirat",
}
KINDS = ("random", "calls", "not reached", "lost", "differing", "litter", "alive", "paid twice")
MOST_OF_A_CALL = int(os.environ.get("KILLS_OF_A_CALL", "12"))
RANDOM_KILLS = int(os.environ.get("RANDOM_KILLS", "100"))
CONCURRENCY = 8
TASK = ["--task", "ecd-fcc/k_vrh"]


@dataclass(frozen=True)
class Scenario:
    """A command that is killed.

    Attributes:
        arguments: of `ecdbench`, in a folder of its own.
        units: patterns of files each of which is a finished unit of work, never to be made twice.
        prepare: fills the folder.
        paid: how often each answer was paid, since the last `prepare`.
    """

    arguments: list[str]
    units: tuple[str, ...] = ()
    prepare: Callable[[Path], None] = lambda folder: None
    paid: Callable[[], Counter[str]] = Counter


@contextmanager
def scenarios() -> Iterator[dict[str, Scenario]]:
    """What is killed, by name."""
    with ExitStack() as stack:
        shared = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        endpoint, serving = _server()
        server = stack.enter_context(serving)
        fits = ("cache/fits/*/*/fit.json",)
        asked = ["model=made-up", "samples=2", "temperature=1", f"base_url={server.url}/v1"]
        settings = [flag for setting in asked for flag in ("--set", setting)]
        yield {
            "evaluate, classical": Scenario(["evaluate", "knn-composition", *TASK, "--out", "out", "-q"], fits),
            "evaluate, cv, 2 seeds": Scenario(
                ["evaluate", "pixel-ridge", *TASK, "--protocol", "cv", "--seeds", "2", "--out", "out", "-q"], fits
            ),
            "evaluate, network": Scenario(
                [
                    *("evaluate", "scratch-cnn", *TASK, "--set", "max_epochs=3", "--set", "width=49"),
                    *("--set", "batch_size=64", "--out", "out", "-q"),
                ],
                fits,
            ),
            "tune": Scenario(
                [
                    *("tune", "knn-composition", *TASK, "--search", "neighbours=2:9:1", "--trials", "3"),
                    *("--out", "out", "-q"),
                ],
                fits,
            ),
            "build": Scenario(
                ["build", "ecd-fcc", "--source", "source", "--out", "out/built", "--workers", "2", "-q"],
                ("out/built/**/*.arrow",),
                _some_densities,
            ),
            "submit": Scenario(
                ["submit", "runs/one", "runs/two", "--card", "card.yaml", "--out", "out"], (), _two_runs(shared)
            ),
            "in context": Scenario(
                [
                    *("evaluate", "in-context", *TASK, "--text", "single", "--limit", "40", "--out", "out", "-q"),
                    *("--concurrency", str(CONCURRENCY), *settings),
                ],
                fits,
                lambda _: endpoint.paid.clear(),
                lambda: endpoint.paid,
            ),
        }


class Tally(Counter[str]):
    """What was counted, and a line for each fault."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def fault(self, kind: str, where: str, what: str) -> None:
        self[kind] += 1
        self.lines.append(f"  {kind}: {where}: {what}")


class Trial:
    """One command in a folder of its own."""

    def __init__(self, scenario: Scenario, folder: Path) -> None:
        self.scenario, self.folder = scenario, folder
        for name in ("cache", "tmp"):
            (folder / name).mkdir(parents=True)
        scenario.prepare(folder)
        self.environment = {
            **os.environ, "ECDBENCH_CACHE": str(folder / "cache"), "TMPDIR": str(folder / "tmp"),
            "OMP_NUM_THREADS": "1", "OPENAI_API_KEY": "made-up",
        }  # fmt: skip

    def start(self, *before: str) -> subprocess.Popen[bytes]:
        """Start the command, in a session of its own."""
        command = [*before, sys.executable, "-m", "ecdbench", *self.scenario.arguments]
        return subprocess.Popen(
            command,
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.DEVNULL,
            stderr=(self.folder / "stderr").open("ab"),
            start_new_session=True,
        )

    def units(self) -> dict[str, tuple[int, int]]:
        """When each finished unit was written, and its size."""
        files = [file for pattern in self.scenario.units for file in self.folder.glob(pattern)]
        return {str(f.relative_to(self.folder)): (f.stat().st_mtime_ns, f.stat().st_size) for f in files}

    def names(self) -> set[str]:
        """Every file and folder, but locks and what is named by chance."""
        found = (str(path.relative_to(self.folder)) for path in self.folder.rglob("*"))
        return {_anonymous(name) for name in found if not name.endswith((".lock", "stderr")) and not _KEPT.match(name)}

    def outcome(self) -> dict[str, str]:
        """Digests of what the command has made, without times."""
        return {
            _anonymous(str(file.relative_to(self.folder))): _digest(file)
            for file in sorted((self.folder / "out").rglob("*"))
            if file.is_file() and file.suffix in (".parquet", ".json", ".jsonl", ".csv", ".yaml")
        }


def main() -> None:
    """Run all scenarios, or those that KILLED names, as in KILLED=tune,build; KILLS_OF_A_CALL and RANDOM_KILLS say how
    many kills there are."""
    only = os.environ.get("KILLED", "").split(",")
    if shutil.which("strace") is None:
        print("strace is missing; install it")
        return
    rng = random.Random(0)
    with scenarios() as known, tempfile.TemporaryDirectory() as root:
        chosen = {name: one for name, one in known.items() if any(part in name for part in only)}
        total = Tally()
        for number, (name, scenario) in enumerate(chosen.items()):
            tally = Tally()
            kills = round(RANDOM_KILLS * (number + 1) / len(chosen)) - round(RANDOM_KILLS * number / len(chosen))
            start = time.monotonic()
            _measure(name, scenario, Path(root) / str(number), kills, rng, tally)
            print(
                f"{name}:",
                ", ".join(f"{kind} {tally[kind]}" for kind in KINDS),
                f"in {time.monotonic() - start:.0f} s",
                flush=True,
            )
            print(*tally.lines, sep="\n", end="\n" if tally.lines else "", flush=True)
            total.update(tally)
        print(json.dumps(total))


def _measure(name: str, scenario: Scenario, root: Path, kills: int, rng: random.Random, tally: Tally) -> None:
    undisturbed = Trial(scenario, root / "undisturbed")
    start = time.monotonic()
    assert undisturbed.start().wait() in (0, 3), (undisturbed.folder / "stderr").read_text()
    seconds = time.monotonic() - start
    for k in range(kills):
        after = rng.uniform(0.02, 0.98) * seconds
        with _killed(scenario, root / f"random-{k}", f"after {after:.2f} of {seconds:.2f} s", tally) as trial:
            process = trial.start()
            time.sleep(after)
            process.send_signal(signal.SIGKILL)
            process.wait()
            tally["random"] += 1
        _run_again(trial, undisturbed, f"after {after:.2f} s", tally)
    for call, numbers in _calls_of(scenario, root / "counted").items():
        for number in numbers:
            where = f"{call} {number}"
            with _killed(scenario, root / where.replace(" ", "-"), where, tally) as trial:
                inject = f"inject={CALLS[call]}:signal=KILL:when={number}"
                process = trial.start(
                    "strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={CALLS[call]}", "-e", inject
                )
                tally["calls" if process.wait() not in (0, 3) else "not reached"] += 1
            _run_again(trial, undisturbed, where, tally)


@contextmanager
def _killed(scenario: Scenario, folder: Path, where: str, tally: Tally) -> Iterator[Trial]:
    """A trial for the block to kill; what outlives the command is found by its environment."""
    trial = Trial(scenario, folder)
    yield trial
    deadline = time.monotonic() + 10
    while (alive := _alive(folder)) and time.monotonic() < deadline:
        time.sleep(0.02)
    if alive:
        tally.fault("alive", where, str(alive))
        for process in alive:
            os.kill(process, signal.SIGKILL)


def _run_again(trial: Trial, undisturbed: Trial, where: str, tally: Tally) -> None:
    finished = trial.units()
    code = trial.start().wait()
    if code not in (0, 3):
        tally.fault("differing", where, (trial.folder / "stderr").read_text()[-300:])
        return
    now = trial.units()
    for unit, state in finished.items():
        if unit in now and now[unit] != state:
            tally.fault("lost", where, f"{unit} was made again")
    if missing := {_anonymous(unit) for unit in undisturbed.units()} - {_anonymous(unit) for unit in now}:
        tally.fault("lost", where, f"{', '.join(sorted(missing))} missing")
    mine, theirs = trial.outcome(), undisturbed.outcome()
    if mine != theirs:
        names = {name for name in mine.keys() | theirs.keys() if mine.get(name) != theirs.get(name)}
        tally.fault("differing", where, ", ".join(sorted(names)))
    if litter := trial.names() - undisturbed.names():
        tally.fault("litter", where, ", ".join(sorted(litter)))
    again = sum(count - 1 for count in trial.scenario.paid().values())
    tally["paid twice"] += again
    if again > CONCURRENCY:
        tally.fault("lost", where, f"{again} answers were paid twice")
    shutil.rmtree(trial.folder)


def _calls_of(scenario: Scenario, folder: Path) -> dict[str, list[int]]:
    """Which calls of the command's own process are to be met, by number."""
    trial = Trial(scenario, folder)
    log = folder / "calls"
    wanted = ",".join(CALLS.values())
    process = trial.start("strace", "-f", "-qq", "-o", str(log), "-e", f"trace={wanted}")
    assert process.wait() in (0, 3)
    lines = log.read_text().splitlines()
    own = lines[0].split()[0]
    found = Counter(match[1] for line in lines if (match := re.match(rf"{own} +(\w+)\(", line)))
    shutil.rmtree(folder)
    chosen = {}
    for call, names in CALLS.items():
        count = max((found[name] for name in names.split(",")), default=0)
        some = np.unique(np.linspace(1, count, min(count, MOST_OF_A_CALL)).round().astype(int)) if count else []
        chosen[call] = [int(number) for number in some]
    return chosen


def _alive(folder: Path) -> list[int]:
    """Processes that were started in a folder's environment."""
    wanted, found = f"TMPDIR={folder / 'tmp'}".encode(), []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if wanted in (entry / "environ").read_bytes():
                    found.append(int(entry.name))
            except OSError:
                continue
    return found


# By which Python tries a folder for temporary files; that a dataset was inspected, when a finished build is repeated.
_KEPT = re.compile(r"tmp/[a-z0-9_]{8}$|cache/inspected\b")


def _anonymous(name: str) -> str:
    """A path without dates and what else differs between two runs."""
    return re.sub(r"\d{8}-\d{6}(-\w+)?|\d{4}-\d{2}-\d{2}\w*|[0-9a-f]{8,}", "#", name)


_TIMES = re.compile(r'"(created|sent|seconds\w*|datetime\w*|duration\w*)": *("[^"]*"|[\d.e+-]+)')


def _digest(file: Path) -> str:
    if file.suffix == ".parquet":
        frame = pd.read_parquet(file)
        return hashlib.sha256(frame.to_json(double_precision=15).encode()).hexdigest()
    if file.name == "trials.csv":  # which lists trials that were interrupted, too
        table = pd.read_csv(file).query("state != 'FAIL'").filter(regex="^(value|state|params)")
        return hashlib.sha256(table.to_csv(index=False).encode()).hexdigest()
    lines = _TIMES.sub("", file.read_text()).splitlines()
    lines = sorted(lines) if file.suffix == ".jsonl" else lines  # in the order in which answers came
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _server() -> tuple[Any, Any]:
    """The made-up endpoint of the tests, and what serves it."""
    sys.path.insert(0, str(ROOT))
    from tests.servers.faults import Serving  # type: ignore[import-not-found]
    from tests.servers.llm import LanguageModel  # type: ignore[import-not-found]

    endpoint = LanguageModel(latency=0.05)
    return endpoint, Serving(endpoint)


def _some_densities(folder: Path) -> None:
    """Eight crystals of the raw data, and their descriptions in the cache."""
    from tests.tasks.builder.conftest import seed_descriptions  # type: ignore[import-not-found]

    data, source = Path(os.environ["ECDBENCH_DATA"]) / "ecd-fcc", folder / "source"
    (source / "densities").mkdir(parents=True)
    for file in sorted((data / "densities").iterdir(), key=lambda file: file.stat().st_size)[:8]:
        shutil.copyfile(file, source / "densities" / file.name)
    shutil.copyfile(data / "known_values.csv", source / "known_values.csv")
    seed_descriptions(folder / "cache")


def _two_runs(shared: Path) -> Callable[[Path], None]:
    """Two finished runs and a card, made once."""
    command = [sys.executable, "-m", "ecdbench", "evaluate", "knn-composition", *TASK, "-q"]
    environment = {**os.environ, "ECDBENCH_CACHE": str(shared / "cache")}
    for protocol in ("fixed", "cv"):
        more = ["--protocol", protocol, "--out", str(shared / "runs" / protocol)]
        subprocess.run([*command, *more], check=True, env=environment, stdout=subprocess.DEVNULL)
    runs = sorted(file.parent for file in (shared / "runs").rglob("result.json"))
    card = TEMPLATE.replace("Your Name", "A. Nobody").replace("What a reader should know.", "A test.")

    def prepare(folder: Path) -> None:
        for name, run in zip(("one", "two"), runs, strict=True):
            shutil.copytree(run, folder / "runs" / name)
        (folder / "card.yaml").write_text(card.replace("my-model", "killed").replace("[image]", "[formula]"))

    return prepare
