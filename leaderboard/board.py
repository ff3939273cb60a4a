"""The leaderboard: sections of comparable runs, ranked by the main metric."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from ..benchmark.bootstrap import one_thread
from ..benchmark.difference import Difference
from ..benchmark.predictor import silent
from ..benchmark.task import revision_of
from ..submissions.reference import References
from ..submissions.text import printable
from .contestants import Contestant, Filter, Progress, find_contestants
from .statistics import ALPHA, standings


@dataclass(frozen=True)
class Rank:
    """A row's place.

    Attributes:
        place: its rank by RMSE.
        low: the best rank that is not ruled out.
        high: the worst rank that is not ruled out.
        group: letters; rows that share one cannot be told apart.
        p_first: Holm-corrected p-value of the difference to the first; None for the first itself.
        gap: the difference to the first, with its own interval; None for the first itself.
    """

    place: int
    low: int
    high: int
    group: str
    p_first: float | None
    gap: Difference | None


@dataclass(frozen=True)
class Row:
    """A contestant in a section; without `rank` where it is not ranked."""

    contestant: Contestant
    rank: Rank | None

    @property
    def standing(self) -> str:
        """What can be said of the row against the first."""
        if self.rank is None:
            return f"not ranked: {self.contestant.unranked}"
        if self.rank.p_first is None:
            return "first"
        return "worse than the first" if self.rank.p_first < ALPHA else "cannot be told apart from the first"


@dataclass(frozen=True)
class Section:
    """Rows of one task, split and protocol; `revision` names the data where the board has several versions of them."""

    task: str
    unit: str
    split: str
    protocol: str
    rows: list[Row]
    revision: str | None = None

    @property
    def title(self) -> str:
        """What the rows have in common."""
        run = self.rows[0].contestant.run
        folds = f"{len(run.reference.folds)}-fold cross-validation, out-of-fold predictions"
        version = f", data {self.revision}" if self.revision else ""
        scored = "holdout" if self.protocol == "fixed" else folds
        return f"{self.task} ({self.unit}){version}, split {self.split}, {scored}, n = {run.scores[run.main].n}"

    @cached_property
    def tied(self) -> list[str]:
        """Names of the rows that cannot be told apart from the first, the first included."""
        close = [row for row in self.rows if row.rank and (row.rank.p_first is None or row.rank.p_first >= ALPHA)]
        return [row.contestant.name for row in close]

    @property
    def reading(self) -> str:
        """The section in one plain sentence."""
        ranked = [row for row in self.rows if row.rank]
        if len(self.tied) < 2:
            return f"{self.tied[0]} is ahead of every other ranked row." if len(ranked) > 1 else ""
        how = "paired bootstrap" if self.protocol == "fixed" else "paired bootstrap and corrected resampled t-test"
        return (
            f"Cannot be told apart from the first ({how}, Holm-corrected over all pairs, 5 %): {', '.join(self.tied)}."
        )


@dataclass(frozen=True)
class Board:
    """All sections, and what was left out, each with its reason."""

    sections: list[Section]
    left_out: list[str]


def make_board(
    roots: Sequence[Path], wanted: Filter | None = None, data_dir: Path | None = None, progress: Progress = silent
) -> Board:
    """Recompute every entry and run under `roots`, and rank them among the rows that are shown.

    What cannot be read or recomputed is left out with its reason; it does not stop the others.

    Args:
        roots: folders of entries or of runs.
        wanted: which rows are shown; all by default.
        data_dir: where datasets that are not packaged are.
        progress: called with how many are done, how many there are, and the next one's name.
    """
    with one_thread():
        return _made(roots, wanted or Filter(), data_dir, progress)


def _made(roots: Sequence[Path], wanted: Filter, data_dir: Path | None, progress: Progress) -> Board:
    left_out: list[str] = []
    groups: dict[tuple[str, str, str, str], list[Contestant]] = {}
    for one in find_contestants(roots, References(data_dir), wanted, left_out, progress):
        result = one.result
        key = (result.task, revision_of(result.content_sha256), result.split, result.protocol)
        groups.setdefault(key, []).append(one)
    versions = Counter(task for task, _ in {key[:2] for key in groups})
    return Board(
        [
            Section(
                task,
                members[0].result.unit,
                split,
                protocol,
                _ranked(members),
                revision if versions[task] > 1 else None,
            )
            for (task, revision, split, protocol), members in sorted(groups.items(), key=lambda item: item[0])
        ],
        [printable(reason) for reason in left_out],
    )


def _ranked(contestants: Sequence[Contestant]) -> list[Row]:
    def rmse(one: Contestant) -> float:
        value = one.run.scores[one.run.main].rmse.value
        return math.inf if value is None else value

    in_order = sorted(contestants, key=rmse)
    ranked = [one for one in in_order if one.unranked is None]
    found = standings([one.run for one in ranked])
    rows = [
        Row(
            one,
            Rank(
                index + 1,
                int(found.rank_low[index]),
                int(found.rank_high[index]),
                found.groups[index],
                float(found.p_values[0, index]) if index else None,
                found.gaps[index] if index else None,
            ),
        )
        for index, one in enumerate(ranked)
    ]
    return rows + [Row(one, None) for one in in_order if one.unranked is not None]
