"""What stands on a board: verified entries, and runs of one's own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..benchmark.errors import EcdbenchError
from ..benchmark.results import Result, find_runs, read_run
from ..benchmark.scoring import COVERAGE_THRESHOLD
from ..submissions.card import CARD, Card, read_card
from ..submissions.curves import Curves, curves_of
from ..submissions.entry import accepted_entries, holds_entries
from ..submissions.reference import References
from ..submissions.rescore import RescoredRun, rescore_run
from ..submissions.verify import Verified, verify_all

Progress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class Contestant:
    """A run whose scores were recomputed, and what is known of its model.

    Attributes:
        run: the run.
        card: its model's card; None for a run of one's own.
        curves: its learning curves, where there are any.
        suspicions: why somebody should look at it before it is ranked.
        twin: the entry that has the very same predictions.
    """

    run: RescoredRun
    card: Card | None = None
    curves: Curves | None = None
    suspicions: list[str] = field(default_factory=list)
    twin: str | None = None

    @property
    def result(self) -> Result:
        """The run's record."""
        return self.run.run.result

    @property
    def name(self) -> str:
        """What a row is called."""
        return self.card.name if self.card else label(self.result)

    @property
    def inputs(self) -> list[str] | None:
        """The columns the model looks at; None where that is not stated."""
        return list(self.card.inputs) if self.card else self.result.model.inputs

    @property
    def random_weights(self) -> bool:
        """Whether a network stands on random weights where pretrained ones are usual."""
        return self.result.model.info.get("weights") == "random"

    @property
    def pretrained(self) -> bool:
        """Whether the model saw other data before, as its card or its own record says."""
        if self.card:
            return self.card.is_pretrained
        weights = self.result.model.info.get("weights")
        return self.result.usage is not None or (weights is not None and not self.random_weights)

    @property
    def unranked(self) -> str | None:
        """Why the row has no rank; None where it has one."""
        coverage = self.run.scores[self.run.main].coverage
        if self.result.limit is not None:
            return f"only {self.result.limit} rows were asked for"
        if self.suspicions:
            return "to be looked at: " + "; ".join(self.suspicions)
        return "too many predictions failed" if coverage < COVERAGE_THRESHOLD else None


@dataclass(frozen=True)
class Filter:
    """Which rows a board shows; None for all.

    Attributes:
        task: a task, or a dataset's tasks.
        inputs: models that look at exactly these columns.
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

    def wants(self, one: Contestant) -> bool:
        """Whether a row is shown."""
        return (
            (self.inputs is None or (one.inputs is not None and frozenset(one.inputs) == self.inputs))
            and self.text in (None, one.result.text)
            and self.pretrained in (None, one.pretrained)
        )


def label(result: Result) -> str:
    """What a run of one's own is called: the model, the text tier it saw, a channel that is not the usual one, its
    parameters."""
    name, inputs = result.model.name, result.model.inputs
    if result.text != "none" and (inputs is None or "text" in inputs):
        name = f"{name} + text {result.text}"
    name = name if result.channel == "total" else f"{name}, {result.channel} density"
    shown = {key: value for key, value in result.model.parameters.items() if not _is_address(value)}
    given = ", ".join(f"{key}={_short(value)}" for key, value in shown.items())
    name += f" ({given})" if given else ""
    return f"{name}, RANDOM WEIGHTS" if result.model.info.get("weights") == "random" else name


def name_of(run: RescoredRun) -> str:
    """What a run is called: as its entry's card says, or by its model and parameters."""
    card = run.run.folder.parent / CARD
    return read_card(card).name if card.is_file() else label(run.run.result)


def find_contestants(
    roots: Sequence[Path], references: References, wanted: Filter, left_out: list[str], progress: Progress
) -> Iterator[Contestant]:
    """Recompute everything under `roots`.

    Args:
        roots: folders of entries (in which every entry is verified), or folders with runs in them.
        references: loads the tasks.
        wanted: which rows are asked for.
        left_out: gets a sentence for each entry or run that cannot be shown.
        progress: called with how many are done, how many there are, and the next one's name.
    """
    entries = [root for root in roots if root == accepted_entries() or holds_entries(root)]
    own = [folder for root in roots if root not in entries for folder in find_runs([root])]
    own = [folder for folder in own if not holds_entries(folder.parent)]  # entries are verified, or not shown
    found = _of_entries(entries, references, wanted, left_out, progress)
    for contestant in (*found, *_of_runs(own, references, wanted, left_out, progress)):
        if wanted.wants(contestant):
            yield contestant


def _of_entries(
    roots: Sequence[Path], references: References, wanted: Filter, left_out: list[str], progress: Progress
) -> Iterator[Contestant]:
    for verified in verify_all(roots, references, wanted.wants_task, progress):
        if verified.refusal:
            left_out.append(verified.refusal)
        yield from _contestants(verified)


def _contestants(verified: Verified) -> Iterator[Contestant]:
    card = verified.entry.card if verified.entry else None
    for run in verified.runs:
        yield Contestant(run.rescored, card, run.curves, run.suspicions, run.twin)


def _of_runs(
    folders: Sequence[Path], references: References, wanted: Filter, left_out: list[str], progress: Progress
) -> Iterator[Contestant]:
    for done, folder in enumerate(folders):
        progress(done, len(folders), folder.name)
        try:
            run = read_run(folder)
            if wanted.wants_task(run.result.task):
                yield Contestant(rescore_run(run, references), curves=curves_of(folder))
        except Exception as error:  # noqa: BLE001 - whatever is in a folder, the others are shown
            reason = str(error) if isinstance(error, EcdbenchError) else f"it cannot be read ({type(error).__name__})."
            left_out.append(f"{folder.name}: {reason}")


def _is_address(value: Any) -> bool:
    """Whether a parameter says where a service is, which is no part of a model's name."""
    return isinstance(value, str) and value.startswith(("http://", "https://"))


def _short(value: Any) -> str:
    """A parameter's value; of a path, the last part."""
    return Path(value).name if isinstance(value, str) and Path(value).is_absolute() else str(value)
