"""The leaderboard: sections of comparable runs, ranked by the main metric."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from ..benchmark.difference import Difference
from ..benchmark.errors import EcdbenchError
from ..benchmark.results import Result, find_runs, read_run
from ..benchmark.scoring import COVERAGE_THRESHOLD, Score
from ..benchmark.task import revision_of
from ..submissions.reference import References
from ..submissions.rescore import RescoredRun, rescore
from .compare import compare


@dataclass(frozen=True)
class Row:
    """One run in a section. `rank` is None below the coverage threshold; `gap` is the difference to the first."""

    rank: int | None
    run: RescoredRun
    gap: Difference | None

    @property
    def standing(self) -> str:
        """What can be said of the row against the first."""
        if self.rank is None and self.run.run.result.limit is not None:
            return f"not ranked: only {self.run.run.result.limit} rows were asked for"
        if self.rank is None:
            return "not ranked: too many predictions failed"
        if self.gap is None:
            return "first"
        if self.gap.value is None:
            return "undefined"
        return "worse than the first" if self.gap.separates else "cannot be told apart from the first"


@dataclass(frozen=True)
class Section:
    """Runs on one task, split and protocol; `revision` names the data where the board has several versions of them."""

    task: str
    unit: str
    split: str
    protocol: str
    rows: list[Row]
    revision: str | None = None

    @property
    def title(self) -> str:
        """What the rows have in common."""
        scored = "holdout" if self.protocol == "fixed" else "10-fold cross-validation, out-of-fold predictions"
        count = self.rows[0].run.scores[self.rows[0].run.main].n
        version = f", data {self.revision}" if self.revision else ""
        return f"{self.task} ({self.unit}){version}, split {self.split}, {scored}, n = {count}"

    @cached_property
    def tied(self) -> list[str]:
        """Labels of the rows that cannot be told apart from the first, the first included."""
        close = [row for row in self.rows if row.rank is not None and (row.gap is None or not row.gap.separates)]
        return [label(row.run.run.result) for row in close]

    @property
    def reading(self) -> str:
        """The section in one plain sentence."""
        if len(self.tied) < 2:
            return f"{self.tied[0]} is ahead of every other row." if self.tied and len(self.rows) > 1 else ""
        return f"Cannot be told apart (paired bootstrap of the RMSE difference, 95 %): {', '.join(self.tied)}."


@dataclass(frozen=True)
class Board:
    """All sections, and the runs that were left out, each with its reason."""

    sections: list[Section]
    left_out: list[str]


def label(result: Result) -> str:
    """What a row is called: the model, the text tier it saw, a channel that is not the usual one, its parameters."""
    name, inputs = result.model.name, result.model.inputs
    if result.text != "none" and (inputs is None or "text" in inputs):
        name = f"{name} + text {result.text}"
    name = name if result.channel == "total" else f"{name}, {result.channel} density"
    shown = {key: value for key, value in result.model.parameters.items() if not _is_address(value)}
    given = ", ".join(f"{key}={_short(value)}" for key, value in shown.items())
    name += f" ({given})" if given else ""
    return f"{name}, RANDOM WEIGHTS" if result.model.info.get("weights") == "random" else name


def _is_address(value: Any) -> bool:
    """Whether a parameter says where a service is, which is no part of a model's name."""
    return isinstance(value, str) and value.startswith(("http://", "https://"))


def _short(value: Any) -> str:
    """A parameter's value; of a path, the last part."""
    return Path(value).name if isinstance(value, str) and Path(value).is_absolute() else str(value)


def make_board(roots: Sequence[Path], task: str | None = None, data_dir: Path | None = None) -> Board:
    """Rescore every run under `roots` and rank them.

    A run that cannot be read or rescored is left out with its reason; it does not stop the others.

    Args:
        roots: folders with run folders in them.
        task: this task, or this dataset's tasks, only.
        data_dir: where datasets that are not packaged are.
    """
    runs: dict[tuple[str, str, str, str], list[RescoredRun]] = {}
    left_out = []
    references = References(data_dir)  # runs of a task share its data
    for folder in find_runs(roots):
        try:
            result = read_run(folder).result
            if task is not None and task not in (result.task, result.task.partition("/")[0]):
                continue
            run = rescore(folder, references)
        except EcdbenchError as error:
            left_out.append(f"{folder.name}: {error}")
            continue
        key = (result.task, revision_of(result.content_sha256), result.split, result.protocol)
        runs.setdefault(key, []).append(run)
    versions = Counter(task for task, _ in {key[:2] for key in runs})
    return Board(
        [
            _section(name, revision if versions[name] > 1 else None, split, protocol, members)
            for (name, revision, split, protocol), members in sorted(runs.items())
        ],
        left_out,
    )


def reported(task: str) -> list[dict[str, Any]]:
    """Literature values for a task: reported, not recomputed."""
    content = (Path(__file__).parent / "reported.yaml").read_text(encoding="utf-8")
    return [entry for entry in yaml.safe_load(content) if entry["task"] == task]


def _section(task: str, revision: str | None, split: str, protocol: str, runs: list[RescoredRun]) -> Section:
    def rmse(run: RescoredRun) -> float:
        value = run.scores[run.main].rmse.value
        return math.inf if value is None else value

    def can_be_ranked(run: RescoredRun) -> bool:
        return run.run.result.limit is None and run.scores[run.main].coverage >= COVERAGE_THRESHOLD

    ranked = sorted((run for run in runs if can_be_ranked(run)), key=rmse)
    rest = sorted((run for run in runs if not can_be_ranked(run)), key=rmse)
    rows = [
        Row(rank, run, None if rank == 1 else compare(run, ranked[0])["rmse"])
        for rank, run in enumerate(ranked, start=1)
    ]
    rows += [Row(None, run, None) for run in rest]
    return Section(task, runs[0].run.result.unit, split, protocol, rows, revision)


def text_of(score: Score) -> str:
    """A score with its interval, as in `6.73 [5.72, 7.69]`."""
    if score.value is None:
        return "undefined"
    if score.low is None or score.high is None:
        return f"{score.value:.3g} [undefined]"
    return f"{score.value:.3g} [{score.low:.3g}, {score.high:.3g}]"
