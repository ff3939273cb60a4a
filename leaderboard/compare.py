"""Compare two runs on the same samples."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..benchmark.differences import Difference, differences
from ..benchmark.errors import DataError
from ..benchmark.metrics import Metric
from ..benchmark.scoring import COVERAGE_THRESHOLD
from ..benchmark.statistics import by_folds, corrected_t_p_value
from ..submissions.card import CARD, read_card
from ..submissions.rescoring import LeaderboardEntry

if TYPE_CHECKING:
    import pandas as pd


def name_of(entry: LeaderboardEntry) -> str:
    """What a run is called: as its entry's card says, or by its model and parameters."""
    card = entry.folder.parent / CARD
    return read_card(card).name if card.is_file() else entry.name


def compare(first: LeaderboardEntry, second: LeaderboardEntry) -> dict[str, Difference]:
    """Differences, first minus second, on the split that ranks, by metric.

    Raises:
        DataError: the runs are not of one task, protocol and split, or one is of a few rows only.
    """
    for name in ("task", "protocol", "split"):
        one, two = getattr(first.result, name), getattr(second.result, name)
        if one != two:
            raise DataError(f"The runs differ in {name} ({one} and {two}), so their samples cannot be paired.")
    ours, theirs = first.reference.base_pins, second.reference.base_pins
    if changed := [column for column in ours if ours[column] != theirs.get(column)]:
        raise DataError(f"The runs were made on different values of {changed[0]}, so their samples cannot be paired.")
    for entry in (first, second):
        if entry.result.limit is not None:
            raise DataError(f"{entry.folder} predicts only {entry.result.limit} rows (--limit); compare whole runs.")
    return differences(first.sample, second.sample)


def corrected_t(first: LeaderboardEntry, second: LeaderboardEntry) -> float | None:
    """P-value of the corrected resampled t-test of two runs, a second opinion that does not decide; None where training
    sets do not overlap."""
    reference = first.reference
    if not reference.protocol.overlaps:
        return None
    by_fold = np.array([by_folds(one.sample, reference.metric, reference.folds) for one in (first, second)])
    return corrected_t_p_value(by_fold, reference.folds.ratio)


def per_sample(first: LeaderboardEntry, second: LeaderboardEntry) -> pd.DataFrame:
    """Both models' predictions of each sample, mean over seeds, where they differ most first.

    Returns:
        Columns `id`, `target`, `first`, `second`, and `closer`: absolute error of the first minus that of the second.
    """
    import pandas as pd

    frame = pd.DataFrame(
        {
            "id": first.ids,
            "target": first.sample.target,
            "first": first.sample.prediction.mean(axis=0),
            "second": second.sample.prediction.mean(axis=0),
        }
    )
    frame["closer"] = (frame["first"] - frame["target"]).abs() - (frame["second"] - frame["target"]).abs()
    return frame.sort_values("closer", key=lambda values: -values.abs(), kind="stable", ignore_index=True)


def verdict(
    names: tuple[str, str], entries: tuple[LeaderboardEntry, LeaderboardEntry], differences: dict[str, Difference]
) -> str:
    """One plain sentence on two models; if one mostly failed, it says that instead."""
    for name, entry in zip(names, entries, strict=True):
        if entry.sample.coverage < COVERAGE_THRESHOLD:
            return f"{name} is not judged: only {entry.sample.coverage:.0%} of its predictions could be scored."
    return sentence(names, entries[0].reference.metric, differences)


def sentence(names: tuple[str, str], metric: Metric, differences: dict[str, Difference]) -> str:
    """Which of two models is better by a metric, or that they are tied."""
    first, second = names
    gap = differences[metric.name]
    if gap.value is None:
        return f"{first} and {second} cannot be compared: {metric.label} is undefined."
    if not gap.separates:
        return (
            f"{first} and {second} are tied: p = {gap.p_value:.2g} for their {metric.label} difference "
            "(cluster sign-flip test)."
        )
    better, worse = (first, second) if metric.better(gap.value, 0.0) else (second, first)
    return (
        f"{better} is better than {worse}: p = {gap.p_value:.2g} for their {metric.label} difference "
        "(cluster sign-flip test)."
    )
