"""What an entry states, against its card, its folder and what its predictions give."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from ..baselines.llm.usage import total_usage
from ..benchmark.errors import DataError
from ..benchmark.inputs import InputOptions
from ..benchmark.metrics import METRICS
from ..benchmark.protocols import PROTOCOLS
from ..benchmark.results import RESULT, Result, Run
from ..benchmark.scoring import COVERAGE_THRESHOLD, Score, Scores
from .card import Card
from .entry import EntryFolder
from .reference import Reference
from .rescoring import LeaderboardEntry, seen_text

_MOST_SEEDS = 100
_LONGEST = 4000  # characters of any text
# Claimed scores are rounded, so that a changed digit shows in spite of rounding errors.
_DIGITS = 6
_ZERO = 1e-9  # scores this small are rounding errors


def check_inputs(card: Card, entry: LeaderboardEntry) -> None:
    """Compare what a card says that the model looks at with what the dataset has.

    Raises:
        DataError: the dataset has no such input.
    """
    data = entry.reference.data
    tier = data.task.text_tiers[0] if data.task.text_tiers else "none"
    there = data.under(InputOptions(tier, entry.result.channel, data.options.scheme)).inputs
    for name in card.inputs:
        if name not in there:
            raise DataError(f"{entry.folder}: the card says that the model looks at {name}; {data.task.id} has none.")


def check_card(card: Card, result: Result, folder: Path) -> None:
    """Compare what a card states with what a run recorded.

    Raises:
        DataError: inputs, text tier or number of seeds differ, or random weights are called pretrained.
    """
    inputs = result.model.inputs
    pairs: list[tuple[str, object, object]] = []
    if inputs is not None:
        pairs.append(("inputs", sorted(card.inputs), sorted(inputs)))
    pairs.append(("text_tier", card.text_tier, seen_text(result)))
    if not PROTOCOLS.get(result.protocol).reads_folds:
        pairs.append(("seeds", card.seeds, len(result.seeds)))
    for name, stated, recorded in pairs:
        if stated != recorded:
            raise DataError(f"{folder}: the card says {name} {stated!r}, the run {recorded!r}; correct the card.")
    if result.model.info.get("weights") == "random" and card.is_pretrained:
        raise DataError(f"{folder}: the run has random weights and the card says that it is pretrained; correct it.")


def check_file(folder: Path, result: Result) -> None:
    """The file says what was read of it, and nothing else. Raises DataError."""

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len({name for name, _ in pairs}) < len(pairs):
            raise DataError(f"{folder / RESULT} has a repeated key; submit the run again.")
        return dict(pairs)

    stated = json.loads((folder / RESULT).read_bytes(), object_pairs_hook=once)
    if stated != result.model_dump(mode="json", exclude_unset=True):
        raise DataError(f"{folder / RESULT} contains unknown or altered fields; submit the run again.")
    if longest := _longest(stated):
        raise DataError(f"{folder / RESULT} has a text of {longest:,} characters; at most {_LONGEST:,} are accepted.")


def check_record(entry: EntryFolder, folder: Path, result: Result) -> None:
    """What a record says of its folder and kind. Raises DataError."""
    if result.task != entry.task:
        raise DataError(f"{folder} is a run on {result.task[:80]}, but lies in the folder of {entry.task}; move it.")
    if result.source not in (None, result.task):
        raise DataError(f"{folder} was made on data from elsewhere ({result.source[:80]}); submit it again.")
    if result.protocol not in PROTOCOLS or folder.name != f"{result.protocol}-{result.split}":
        raise DataError(
            f"The folder {folder} does not have the name that its record gives it, "
            f"{result.protocol[:30]}-{result.split[:30]}; rename it."
        )
    if result.limit is not None or result.stages or result.folds or result.probes:
        raise DataError(
            f"{folder} holds scores that its predictions do not give (stages, folds, probes or a limit); submit it "
            "with `ecdbench submit`, which leaves them out."
        )
    if result.seeds != list(range(len(result.seeds))) or len(result.seeds) > _MOST_SEEDS:
        raise DataError(f"{folder} has other seeds than 0, 1, ... (at most {_MOST_SEEDS}); evaluate with --seeds N.")
    try:
        total_usage(fit.usage for fit in result.fits)
    except DataError as error:
        raise DataError(f"{folder / RESULT}: {error}") from error
    if result.created > datetime.now(UTC) + timedelta(days=1):
        raise DataError(
            f"{folder} has a creation time in the future ({result.created:%Y-%m-%d}); submit the run again."
        )


def check_claims(run: Run, entry: LeaderboardEntry, card: Card) -> None:
    """Every number that is claimed and can be recomputed. Raises DataError."""
    result, folder, reference = run.result, run.folder, entry.reference
    task = reference.data.task
    if result.text not in ("none", *task.text_tiers) or result.channel not in task.channels:
        raise DataError(f"{folder} names a text tier or density channel that {task.id} does not have.")
    stated = (result.target, result.unit, result.kind, result.metric)
    if stated != (task.target.name, task.target.unit, task.target.kind, task.main_metric):
        raise DataError(f"{folder} states another target, unit or main metric than {task.target.name} in {task.id}.")
    if set(result.columns) != set(pins_of(card.inputs, result, reference)):
        raise DataError(f"{folder} does not pin exactly the columns that it reads; submit the run again.")
    for split, claimed in result.scores.items():
        if split not in entry.scores:
            raise DataError(f"{folder} claims scores of a split that it has no predictions of ({split[:40]}).")
        if difference := first_difference(claimed, entry.scores[split]):
            raise DataError(f"{folder}: the claimed scores do not follow from the predictions: {split} {difference}.")
    if not agree(result.train_range, reference.train_range):
        raise DataError(f"{folder}: train_range is {reference.train_range:.6g}, not {result.train_range:.6g}.")
    if result.rankable != (entry.score.coverage >= COVERAGE_THRESHOLD):
        raise DataError(f"{folder}: rankable does not follow from the coverage.")
    means = reference.train_means(result.seeds)
    if sorted(fit.key for fit in result.fits) != sorted(means):
        raise DataError(f"{folder} does not describe each of its fits (seed and fold) once.")
    sizes = {fit.key(seed): len(fit.train) for seed in result.seeds for fit in reference.fits}
    for fit in result.fits:
        if not agree(fit.train_mean, means[fit.key]):
            raise DataError(f"{folder}: the train_mean of fold {fit.fold} is {means[fit.key]:.6g}.")
        if fit.n_train != sizes[fit.key]:
            raise DataError(f"{folder}: n_train of fold {fit.fold} is not the number of its training rows.")


def pins_of(inputs: list[str], result: Result, reference: Reference) -> dict[str, str]:
    """sha256 by column of what a run with these inputs reads."""
    data = reference.data
    options = InputOptions(result.text, result.channel, data.options.scheme)
    return data.under(options).pins(inputs, reference.protocol.reads_folds)


def rounded(scores: Scores) -> Scores:
    """Scores to six significant digits, as they are claimed: without intervals, which are the board's business."""
    metrics = {
        name: Score(value=_round(score.value), low=None, high=None, seed_std=_round(score.seed_std))
        for name, score in scores.metrics.items()
    }
    return scores.model_copy(update={"metrics": metrics, "coverage": _round(scores.coverage)})


def first_difference(claimed: Scores, found: Scores) -> str | None:
    """The first number of a claim that differs from what was found, in words; None where all agree."""
    for name in ("n", "clusters", "coverage"):
        if not _agree(getattr(claimed, name), getattr(found, name)):
            return f"{name} is {getattr(found, name):.6g}, not {getattr(claimed, name):.6g}"
    for name, score in claimed.metrics.items():
        if name not in found.metrics:
            known = "does not apply to it" if name in METRICS else "is not registered here"
            return f"{name[:40]} {known}"
        if score.low is not None or score.high is not None:
            return f"{name} has an interval, which the board computes; submit the run again"
        for field in ("value", "seed_std"):
            stated, actual = getattr(score, field), getattr(found.metrics[name], field)
            if not _agree(stated, actual):
                where = name if field == "value" else f"{name}.{field}"
                return f"{where} is {_shown(actual)}, not {_shown(stated)}"
    return None


def agree(claimed: float, found: float) -> bool:
    """Whether a number that was rounded when it was claimed is the one that was found."""
    return _agree(_round(claimed), found)


def _agree(claimed: float | None, found: float | None) -> bool:
    if claimed is None or found is None:
        return claimed is found
    if not math.isfinite(claimed) or abs(found) < _ZERO:
        return claimed == 0
    # A unit of the last digit; a little more than half of it is rounding.
    unit = 10.0 ** (math.floor(math.log10(abs(found))) - _DIGITS + 1)
    return abs(claimed - found) <= 0.51 * unit


def _round(value: float | None) -> float | None:
    if value is None:
        return None
    return 0.0 if abs(value) < _ZERO else float(f"{value:.{_DIGITS}g}")


def _shown(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.6g}"


def _longest(value: Any) -> int:
    """The length of a text that is too long; 0 where there is none."""
    if isinstance(value, str):
        return len(value) if len(value) > _LONGEST else 0
    parts = [*value, *value.values()] if isinstance(value, dict) else value if isinstance(value, list) else []
    return max((_longest(part) for part in parts), default=0)
