"""The leaderboard: sections of comparable runs, ranked by the main metric of their task."""

from __future__ import annotations

import hashlib
import json
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from ..benchmark.bootstrap import one_thread
from ..benchmark.errors import EcdbenchError
from ..benchmark.metrics import Metric, metrics_for
from ..benchmark.predictor import Progress, silent
from ..benchmark.results import find_runs, read_run
from ..benchmark.signflip import ALPHA
from ..benchmark.statistics import Ranking, Resolution, rank_models
from ..benchmark.task import HOLDOUT
from ..benchmark.untrusted import printable
from ..submissions.entry import accepted_entries, holds_entries
from ..submissions.ledger import count_looks, ledger_of, read_ledger
from ..submissions.reference import Reference, References
from ..submissions.rescoring import LeaderboardEntry, rescore_run
from ..submissions.verify import verify_all
from .across_tasks import Summary, summaries
from .curves import sentences

_MOST_NAMED = 8  # rows that are tied with the first
_NEGLIGIBLE = 0.001  # of the best score
_MANY = 1_000_000  # samples
FIRST, TIED, WORSE = "first", "tied with 1st", "worse than 1st"


@dataclass(frozen=True)
class Filter:
    """Which rows a board shows; None for all.

    Attributes:
        task: a task, or a dataset's tasks.
        inputs: models that look at exactly these inputs.
        text: models that were given this text tier.
        pretrained: pretrained models, or the others.
    """

    task: str | None = None
    inputs: frozenset[str] | None = None
    text: str | None = None
    pretrained: bool | None = None

    def wants_task(self, task: str) -> bool:
        """Whether a task is shown."""
        return self.task is None or self.task in (task, task.partition("/")[0])

    def wants(self, entry: LeaderboardEntry) -> bool:
        """Whether a row is shown."""
        return (
            (self.inputs is None or (entry.inputs is not None and frozenset(entry.inputs) == self.inputs))
            and self.text in (None, entry.result.text)
            and self.pretrained in (None, entry.is_pretrained)
        )


def standing(entry: LeaderboardEntry) -> str:
    """How a row compares with the first."""
    if entry.rank is None:
        return f"not ranked: {entry.unranked}"
    if entry.rank.p_first is None:
        return FIRST
    return WORSE if entry.rank.p_first < ALPHA else TIED


@dataclass(frozen=True)
class Section:
    """Rows of one task, split and protocol, best first; those without a rank come last.

    Attributes:
        task: the task.
        split: split scheme.
        rows: at least one.
        ranking: what the comparison of all rows says.
        looks: entries that looked at the holdout and how often in all, as the ledger counts; None where the rows are
            not ranked on the holdout.
        version: names the data where the board has several versions of them.
    """

    task: str
    split: str
    rows: list[LeaderboardEntry]
    ranking: Ranking
    looks: tuple[int, int] | None = None
    version: str | None = None

    @property
    def reference(self) -> Reference:
        """What the rows were scored against."""
        return self.rows[0].reference

    @property
    def protocol(self) -> str:
        """Spec of the protocol."""
        return self.reference.protocol.spec

    @property
    def unit(self) -> str:
        """Unit of the target."""
        return self.reference.data.task.target.unit

    @property
    def metrics(self) -> dict[str, Metric]:
        """The metrics of the rows by name, the one that ranks first."""
        found, main = metrics_for(self.reference.data.task.target.kind), self.reference.metric
        return {main.name: main, **found}

    @property
    def title(self) -> str:
        """What the rows have in common."""
        reference = self.reference
        unit = f" ({self.unit})" if self.unit else ""
        release = reference.data.task.release and f"release {reference.data.task.release}"
        version = f", {named}" if (named := self.version or release) else ""
        scored = reference.protocol.describe(len(reference.fits))
        n = len(self.rows[0].sample.target)
        return f"{self.task}{unit}{version}, split {self.split}, {scored}, n = {n}"

    @cached_property
    def tied(self) -> list[str]:
        """Names of the rows that are tied with the first, the first included."""
        return [entry.name for entry in self.rows if standing(entry) in (FIRST, TIED)]

    @cached_property
    def summary(self) -> str:
        """The section in plain sentences."""
        resolution = self.ranking.resolution
        if resolution is None:
            return ""
        count, names = len(self.ranking.ranks), ", ".join(self.tied)
        if len(self.tied) > _MOST_NAMED:
            names = f"{len(self.tied)} of {count} rows, {self.tied[0]} at the top"
        first = (
            f"Tied for 1st (cluster sign-flip test, corrected for all pairs, 5 %): {names}."
            if len(self.tied) > 1
            else f"{names} is ahead of every other ranked row."
        )
        pairs = f"{self.ranking.separated:,} of {count * (count - 1) // 2:,} pairs are told apart."
        n = len(self.rows[0].sample.target)
        resolved = what_it_resolves("This table", resolution, self.reference.metric, self.unit, n)
        return " ".join([first, pairs, *resolved, *sentences(self), *self._of_looks()])

    def _of_looks(self) -> Iterator[str]:
        """What it costs that a holdout is looked at more than once."""
        metric, optimism = self.reference.metric, self.ranking.optimism
        if self.looks is None or optimism is None:
            return
        if optimism > _NEGLIGIBLE * abs(self.rows[0].score[metric.name].value or 0.0):
            unit = f" {self.unit}" if self.unit and metric.unit == "target" else ""
            yield (
                f"Because it was chosen here, the best of {len(self.ranking.ranks)} rows looks better than it is by "
                f"about {optimism:.2g}{unit} on average."
            )
        entries, times = self.looks
        if times:
            yield f"The ledger counts {times} looks at this holdout by {entries} entries."


def what_it_resolves(what: str, resolution: Resolution, metric: Metric, unit: str, count: int) -> Iterator[str]:
    """Sentences on the differences that a table or a comparison could have found.

    Args:
        what: `This table`.
        resolution: what it can tell apart.
        metric: the metric that ranks.
        unit: of the target.
        count: how many samples there are.
    """
    if not math.isfinite(resolution.difference):
        yield f"{what} has too few samples to tell any models apart."
        return
    size = f"{resolution.difference:.2g}" + (f" {unit}" if unit and metric.unit == "target" else "")
    share = "" if resolution.relative is None else f" ({resolution.relative:.0%})"
    yield f"{what} can separate differences of about {size}{share} in {metric.label}."
    if resolution.samples is not None and resolution.samples > count:
        many = resolution.samples > _MANY
        needed = f"more than {_MANY:,}" if many else f"about {float(f'{resolution.samples:.2g}'):,.0f}"
        yield f"To tell the 1st from the 2nd at their observed difference takes {needed} samples."


@dataclass(frozen=True)
class Board:
    """All sections, and what was left out, each with its reason."""

    sections: list[Section]
    left_out: list[str]

    @cached_property
    def summaries(self) -> list[Summary]:
        """The models across tasks."""
        return summaries(self.sections)


def make_board(
    roots: Sequence[Path],
    wanted: Filter | None = None,
    references: References | None = None,
    progress: Progress = silent,
) -> Board:
    """Recompute every entry and run under `roots`, and rank them among the rows that are shown.

    What cannot be read or recomputed is left out with its reason; it does not stop the others.

    Args:
        roots: folders of entries or of runs.
        wanted: which rows are shown; all by default.
        references: loads the tasks.
        progress: called with how many are done, how many there are, and the next one's name.
    """
    references = references or References()
    left_out: list[str] = []
    groups: dict[tuple[str, str, str, str], list[LeaderboardEntry]] = {}
    with one_thread():
        for entry in gather(roots, references, wanted or Filter(), left_out, progress):
            result = entry.result
            key = (result.task, _version(entry.reference), result.split, result.protocol)
            groups.setdefault(key, []).append(entry)
        versions = Counter((task, split, protocol) for task, _, split, protocol in groups)
        looks = [look for root in roots for look in read_ledger(ledger_of(root))]
        sections = [
            Section(
                task,
                split,
                *_ranked(entries),
                count_looks(looks, task, split) if entries[0].reference.main == HOLDOUT else None,
                version if versions[task, split, protocol] > 1 else None,
            )
            for (task, version, split, protocol), entries in sorted(groups.items(), key=lambda item: item[0])
        ]
    return Board(sections, [printable(reason) for reason in left_out])


def gather(
    roots: Sequence[Path], references: References, wanted: Filter, left_out: list[str], progress: Progress
) -> Iterator[LeaderboardEntry]:
    """Verify every entry and recompute every run under `roots`.

    Args:
        roots: folders of entries (in which every entry is verified), or folders with runs in them.
        references: loads the tasks.
        wanted: which rows are asked for.
        left_out: gets a sentence for each entry or run that cannot be shown.
        progress: called with how many are done, how many there are, and the next one's name.
    """
    entries = [root for root in roots if root == accepted_entries() or holds_entries(root)]
    runs = [folder for root in roots if root not in entries for folder in find_runs([root])]
    runs = [folder for folder in runs if not holds_entries(folder.parent)]  # entries are verified, or not shown
    for verified in verify_all(entries, references, wanted.wants_task, progress):
        if verified.refusal:
            left_out.append(verified.refusal)
        yield from filter(wanted.wants, verified.runs)
    for done, folder in enumerate(runs):
        progress(done, len(runs), folder.name)
        try:
            run = read_run(folder)
            if not wanted.wants_task(run.result.task):
                continue
            entry = replace(rescore_run(run, references), curves=run.curves())
        except Exception as error:  # noqa: BLE001 - whatever is in a folder, the others are shown
            reason = str(error) if isinstance(error, EcdbenchError) else f"it cannot be read ({type(error).__name__})."
            left_out.append(f"{folder.name}: {reason}")
            continue
        if wanted.wants(entry):
            yield entry


def _version(reference: Reference) -> str:
    """A short name for the values that define a task: rows with another one are not comparable."""
    if release := reference.data.task.release:
        return f"release {release}"
    return "data " + hashlib.sha256(json.dumps(reference.base_pins, sort_keys=True).encode()).hexdigest()[:12]


def _ranked(entries: Sequence[LeaderboardEntry]) -> tuple[list[LeaderboardEntry], Ranking]:
    metric = entries[0].reference.metric
    sign = 1 if metric.direction == "lower" else -1

    def value(entry: LeaderboardEntry) -> float:
        found = entry.score[metric.name].value
        return math.inf if found is None else sign * found

    in_order = sorted(entries, key=value)
    ranked = [entry for entry in in_order if entry.unranked is None]
    ranking = rank_models([entry.sample for entry in ranked], metric)
    placed = [replace(entry, rank=rank) for entry, rank in zip(ranked, ranking.ranks, strict=True)]
    return placed + [entry for entry in in_order if entry.unranked is not None], ranking
