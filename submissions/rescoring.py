"""Rescore a run from its predictions and the data; the scores that it states are not used."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from ..baselines.llm.usage import Usage, usage_of
from ..benchmark.errors import DataError, EcdbenchError, ServiceError
from ..benchmark.inputs import depends_on
from ..benchmark.metrics import Sample
from ..benchmark.results import Curves, Result, Run, read_run
from ..benchmark.samples import fit_keys, make_samples
from ..benchmark.scoring import COVERAGE_THRESHOLD, Scores, score
from ..benchmark.statistics import Rank
from ..tasks.catalogue import earlier_tasks
from .card import Card
from .reference import PredictionKey, Reference, References

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class LeaderboardEntry:
    """A run whose scores were recomputed, with everything that a board shows of it.

    Attributes:
        run: the run as it was found.
        reference: what it was scored against.
        samples: predictions beside targets, by split; columns are in the order of `ids`.
        scores: recomputed scores by split, each computed when it is first asked for.
        card: the card of its model; None for a user's own run.
        curves: its learning curves, as its maker states them.
        suspicions: why a person should review it before it is ranked.
        twin: another entry with the same predictions, within 1 % of its error; unlike a suspicion, it unranks nothing.
        rank: its rank among the rows it is shown with; None where it has none.
    """

    run: Run
    reference: Reference
    samples: Mapping[str, Sample]
    scores: Mapping[str, Scores]
    card: Card | None = None
    curves: Curves | None = None
    suspicions: Sequence[str] = field(default=())
    twin: str | None = None
    rank: Rank | None = None

    @property
    def folder(self) -> Path:
        """The run folder."""
        return self.run.folder

    @property
    def result(self) -> Result:
        """The record of the run."""
        return self.run.result

    @property
    def main(self) -> str:
        """The split that ranks."""
        return self.reference.main

    @property
    def sample(self) -> Sample:
        """Predictions beside targets on the split that ranks."""
        return self.samples[self.main]

    @property
    def ids(self) -> list[str]:
        """Ids of the columns of `sample`."""
        return self.reference.ids[self.main]

    @property
    def score(self) -> Scores:
        """The scores of the split that ranks."""
        return self.scores[self.main]

    @property
    def name(self) -> str:
        """What a row is called."""
        return self.card.name if self.card else label(self.result)

    @property
    def inputs(self) -> list[str] | None:
        """The inputs the model looks at; None where that is not stated."""
        return list(self.card.inputs) if self.card else self.result.model.inputs

    @property
    def has_random_weights(self) -> bool:
        """Whether a network has random weights where pretrained ones are usual."""
        return self.result.model.info.get("weights") == "random"

    @cached_property
    def usage(self) -> Usage | None:
        """What the run took of a service; None where it used none."""
        return usage_of(self.result)

    @property
    def is_pretrained(self) -> bool:
        """Whether the model saw other data before, as its card or its own record says."""
        if self.card:
            return self.card.is_pretrained
        has_weights = self.result.model.info.get("weights") is not None
        return self.usage is not None or (has_weights and not self.has_random_weights)

    @property
    def unranked(self) -> str | None:
        """Why the row has no rank; None where it has one."""
        if self.result.limit is not None:
            return f"predicts only {self.result.limit} rows"
        if self.suspicions:
            return "flagged for review: " + "; ".join(self.suspicions)
        return "too many predictions failed" if self.score.coverage < COVERAGE_THRESHOLD else None


class _LazyScores(Mapping[str, Scores]):
    """Scores by split; a board needs those of one split only."""

    def __init__(self, samples: Mapping[str, Sample]) -> None:
        self._samples, self._known = samples, dict[str, Scores]()

    def __getitem__(self, split: str) -> Scores:
        if split not in self._known:
            self._known[split] = score(self._samples[split])
        return self._known[split]

    def __iter__(self) -> Iterator[str]:
        return iter(self._samples)

    def __len__(self) -> int:
        return len(self._samples)


def label(result: Result) -> str:
    """The label of a user's own run: the model, the text tier it saw, a channel other than the usual one, its
    parameters."""
    name, inputs = result.model.name, result.model.inputs
    if seen_text(result) != "none":
        name = f"{name} + text {result.text}"
    if depends_on("channel", inputs) and result.channel != "total":
        name = f"{name}, {result.channel} density"
    shown = {key: value for key, value in result.model.parameters.items() if not _is_address(value)}
    given = ", ".join(f"{key}={_short(value)}" for key, value in shown.items())
    name += f" ({given})" if given else ""
    return f"{name}, RANDOM WEIGHTS" if result.model.info.get("weights") == "random" else name


def seen_text(result: Result) -> str:
    """The text tier that the model looked at: `none` where it says that it looks at no text."""
    return result.text if depends_on("text", result.model.inputs) else "none"


def rescore(folder: Path, references: References | None = None) -> LeaderboardEntry:
    """Read a run folder and recompute its scores from its predictions.

    Args:
        folder: the run folder.
        references: loads the tasks; runs that share it share their data.

    Raises:
        DataError: the run is not readable, was made on other data, does not predict every id of its protocol exactly
            once per seed, or states targets that are not the data's.
    """
    return rescore_run(read_run(folder), references or References())


def rescore_run(run: Run, references: References, frame: pd.DataFrame | None = None) -> LeaderboardEntry:
    """As `rescore`, of a run that was read already, and of its predictions where they were read, too."""
    try:
        return _rescored(run, references, frame)
    except (KeyError, TypeError, ValueError, IndexError) as error:
        reason = f"{type(error).__name__}: {error}".partition("\n")[0]
        raise DataError(f"{run.folder} cannot be rescored ({reason}); evaluate the model again.") from error


def _rescored(run: Run, references: References, frame: pd.DataFrame | None) -> LeaderboardEntry:
    reference, result = _same_data(run, references), run.result
    frame = run.predictions() if frame is None else frame
    _check_complete(run, frame, reference)
    target = reference.data.task.target
    stated = {"unit": target.unit, "target": target.name, "kind": target.kind, "metric": target.main_metric}
    run = replace(run, result=result.model_copy(update=stated))
    means = reference.train_means(result.seeds)
    samples = make_samples(reference.data, frame, means, reference.targets, reference.train_range)
    shared = {split: reference.shared(split, sample) for split, sample in samples.items()}
    entry = LeaderboardEntry(run, reference, shared, _LazyScores(shared))
    _ = entry.score, entry.usage  # what cannot be scored or read fails here
    return entry


def _same_data(run: Run, references: References) -> Reference:
    """The data that a run was made on: the task of its name if it read the same there or in an earlier release, else
    its source."""
    result = run.result
    failure: EcdbenchError | None = None
    for source in dict.fromkeys((result.task, *earlier_tasks(result.task), result.source or result.task)):
        try:
            found = references.get(source, result.split, result.protocol)
            changed = changed_column(result, found) if found.data.task.id == result.task else "task"
        except EcdbenchError as error:
            failure = error if isinstance(error, ServiceError) else failure or error
            continue
        if changed is None:
            return found
        what = "other rows" if changed == found.data.base_columns["id"] else f"another version of the column {changed}"
        failure = failure or DataError(f"{run.folder} was made on {what} of {result.task}; evaluate the model again.")
    if result.source not in (None, result.task) and not isinstance(failure, ServiceError):
        raise DataError(
            f"{run.folder} was made on {result.source}, and that dataset is missing or has changed; "
            "restore it, or evaluate the model again."
        ) from failure
    raise failure or DataError(f"{run.folder} names no task; evaluate the model again.")


def changed_column(result: Result, reference: Reference) -> str | None:
    """The first column that a run read and that is different now; None where all are the same.

    A run pins what defines its task in any case, and the inputs that it was handed.
    """
    stated = {**dict.fromkeys(reference.base_pins), **result.columns}
    return next((name[:60] for name, digest in stated.items() if reference.pin(name) != digest), None)


def _check_complete(run: Run, frame: pd.DataFrame, reference: Reference) -> None:
    """Every id of the protocol, once per seed; splits that do not rank may be absent as a whole."""
    present = set(frame["split"]) | {reference.main}
    expected = frozenset[PredictionKey]().union(*(k for split, k in reference.predicted.items() if split in present))
    found: dict[int, list[PredictionKey]] = {}
    for fit, split, sample_id in zip(fit_keys(frame), frame["split"], frame["id"], strict=True):
        key = PredictionKey(fit.fold, fit.size, fit.repeat, split, sample_id)
        found.setdefault(fit.seed, []).append(key)
    seeds = run.result.seeds
    strange = sorted(set(found) ^ set(seeds))
    if strange or len(set(seeds)) < len(seeds):
        what = f"seed {strange[0]} is only in one of them" if strange else "a seed is named twice"
        raise DataError(
            f"{run.folder}: result.json and the predictions state different seeds ({what}); evaluate again."
        )
    for seed, keys in found.items():
        if len(keys) != len(expected) or set(keys) != expected:
            raise DataError(
                f"{run.folder} does not hold every prediction of its protocol exactly once "
                f"({_first_problem(keys, expected)}, seed {seed}); evaluate the model again."
            )


def _first_problem(keys: list[PredictionKey], expected: frozenset[PredictionKey]) -> str:
    """The first prediction that is missing, not asked for, or given twice."""
    there = set(keys)
    if missing := sorted(expected - there):
        return f"{missing[0].sample_id} of {missing[0].split} is missing"
    if extra := sorted(there - expected, key=str):
        return f"{extra[0].sample_id} of {extra[0].split}, fold {extra[0].fold}, was not asked for"
    twice = next(key for key in sorted(keys) if keys.count(key) > 1)
    return f"{twice.sample_id} of {twice.split} is there twice"


def _is_address(value: object) -> bool:
    """Whether a parameter says where a service is, which is no part of a model's name."""
    return isinstance(value, str) and value.startswith(("http://", "https://"))


def _short(value: object) -> str:
    """A parameter's value; of a path, the last part."""
    return Path(value).name if isinstance(value, str) and Path(value).is_absolute() else str(value)
