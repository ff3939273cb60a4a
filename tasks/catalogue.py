"""From what a user writes to a task: datasets known by name, folders, and datasets on the Hugging Face Hub."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from pathlib import Path
from typing import Any

from ..benchmark.errors import DataError, unknown_name
from ..benchmark.inputs import InputOptions
from ..benchmark.task import SPLITS, Target, Task, TaskData
from ..benchmark.user_folders import default_data_dir
from .datasets import DATASETS, DatasetDefinition
from .datasets.folder import FolderDefinition
from .datasets.manifest import MANIFEST
from .datasets.releases import Release, releases_in
from .splits import ids_by_split


@dataclass(frozen=True)
class TaskRef:
    """A task that was found: its dataset, its target, and what finds it again."""

    dataset: DatasetDefinition
    target: Target
    source: str

    @property
    def id(self) -> str:
        """The task's id."""
        return self.dataset.facts.task_id(self.target)

    @property
    def release(self) -> str:
        """Name of the earlier release of the dataset that it is of; empty for the present one."""
        return self.dataset.name if isinstance(self.dataset, Release) else ""


def task_ids() -> list[str]:
    """Every task of the datasets known by name, as it is written on the command line."""
    return [one.facts.task_id(target) for one in DATASETS.all().values() for target in one.facts.targets]


def find_dataset(reference: str, offline: bool = False) -> DatasetDefinition:
    """A dataset by name, a release of it as in `ecd-fcc@1`, a folder, or `ORG/NAME@COMMIT` on the Hugging Face Hub.

    Raises:
        DataError: there is no such dataset, or it is not pinned to a commit.
        ServiceError: the Hub does not answer and the commit is not in its cache.
    """
    if reference in DATASETS:
        return DATASETS.get(reference)
    if release := _release(reference):
        return release
    if (named := reference.partition("@")[0]) in DATASETS:
        kept = ", ".join(f"{named}@{one.name}" for one in _releases(named)) or "none"
        raise DataError(f"There is no {reference}. Earlier releases that are kept: {kept}; {named} is the present one.")
    if (Path(reference) / MANIFEST).is_file():
        return FolderDefinition(Path(reference), "Build or download the dataset again.")
    if "@" in reference:
        from .hub.download import download

        folder = download(reference, offline)
        return FolderDefinition(folder, f"Delete {folder.parents[1]} and load the dataset again from the Hub.")
    known = DATASETS.names()
    remedy = f"Available: {', '.join(known)}, folders with a {MANIFEST}, and ORG/NAME@COMMIT on the Hub."
    raise DataError(unknown_name("dataset", reference, known, remedy))


def earlier_tasks(task: str) -> list[str]:
    """What finds a task in earlier releases of its dataset, the latest first, as in `ecd-fcc@1/k_vrh`."""
    dataset, slash, target = task.partition("/")
    releases = _releases(dataset) if dataset in DATASETS else []
    return [f"{dataset}@{one.name}{slash}{target}" for one in releases]


def find_task(reference: str, offline: bool = False) -> TaskRef:
    """A task by its id, or by a dataset's folder or `ORG/NAME@COMMIT` followed by `/TARGET`.

    Raises:
        DataError: there is no such task; the message names the nearest ones.
        ServiceError: as `find_dataset` says.
    """
    source, name = _split_reference(reference)
    dataset = find_dataset(source, offline)
    source = str(Path(source).resolve()) if source not in DATASETS and "@" not in source else source
    targets = {target.name: target for target in dataset.facts.targets}
    if len(targets) == 1 and name in ("", *targets):
        return TaskRef(dataset, dataset.facts.targets[0], source)
    if name not in targets:
        known = [f"{source}/{target}" for target in targets]
        raise DataError(unknown_name("task", reference, known, f"Available: {', '.join(known)}."))
    return TaskRef(dataset, targets[name], f"{source}/{name}")


def load_task(
    task: str,
    *,
    text: str = "none",
    channel: str | None = None,
    split: str | None = None,
    data_dir: Path | str | None = None,
    offline: bool = False,
) -> TaskData:
    """Load a task. Each column is checked against its hash when it is first read.

    Args:
        task: task id, as in `ecd-fcc/k_vrh` or `sfe`; a dataset's folder followed by `/TARGET`; or
            `ORG/NAME@COMMIT/TARGET` for one on the Hugging Face Hub, COMMIT being 40 digits.
        text: text tier: `none`, `single`, `key` or `all`.
        channel: density channel; the dataset's first by default.
        split: split scheme; `official` by default.
        data_dir: where datasets that are not packaged are; `ECDBENCH_DATA` or the user's cache by default.
        offline: take a dataset on the Hub from its cache on this machine, or not at all.

    Returns:
        The rows that have the target, without their targets; `only` chooses among the inputs, large ones as well.

    Raises:
        DataError: unknown task or option, data absent or changed.
        ServiceError: the Hub does not answer, and the commit is not in its cache.

    Example:
        >>> data = load_task("ecd-fcc/k_vrh", text="single")
        >>> train = data.labelled(data.splits["train"])
    """
    found = find_task(task, offline)
    definition = _definition(found)
    channel, split = channel or definition.channels[0], split or definition.schemes[0]
    for kind, name, known in (
        ("text tier", text, ("none", *definition.text_tiers)),
        ("density channel", channel, definition.channels),
        ("split", split, definition.schemes),
    ):
        if name not in known:
            raise DataError(unknown_name(kind, name, known, f"{definition.dataset} has {', '.join(known)}."))
    folder = Path(data_dir) if data_dir is not None else default_data_dir()
    return _prepare(definition, found.dataset, folder, InputOptions(text, channel, split))


def _release(reference: str) -> Release | None:
    """The release of a dataset that is known by name, as in `ecd-fcc@1`; None where it is something else."""
    dataset, _, name = reference.partition("@")
    found = _releases(dataset) if dataset in DATASETS and name else []
    return next((one for one in found if one.name == name), None)


def _releases(dataset: str) -> list[Release]:
    definition = DATASETS.get(dataset)
    return releases_in(definition.folder) if isinstance(definition, FolderDefinition) else []


def _prepare(task: Task, definition: DatasetDefinition, folder: Path, options: InputOptions) -> TaskData:
    facts, dataset = definition.facts, definition.open(folder)
    base = {
        "id": facts.named("id")[0],
        "target": task.target.name,
        "split": f"split_{options.scheme}",
        "group": facts.named("group")[0],
        "fold": f"fold_{options.scheme}",
    }
    columns = dataset.read(base.values())
    ids = sorted(sample_id for sample_id, value in columns[base["target"]].items() if _is_known(value))
    _check_rows(task, columns, base, ids)
    data = TaskData(
        task=task,
        options=options,
        inputs={},
        splits=ids_by_split(columns[base["split"]], ids, SPLITS),
        folds={sample_id: columns[base["fold"]][sample_id] for sample_id in ids},
        groups={sample_id: columns[base["group"]][sample_id] for sample_id in ids},
        dataset=dataset,
        base_columns=base,
    )
    return data.only(None)


def _is_known(value: object) -> bool:
    return value is not None and not (isinstance(value, float) and math.isnan(value))


def _check_rows(
    task: Task, columns: Mapping[str, Mapping[str, Any]], base: Mapping[str, str], ids: Sequence[str]
) -> None:
    """Every row has what defines a task: a target that can be learnt, a split, a fold and a group."""
    for name in base.values():
        if lacking := [sample_id for sample_id in ids if columns[name].get(sample_id) is None]:
            raise DataError(f"{task.id}: {lacking[0]} has no {name}; correct the dataset.")
    split_of = columns[base["split"]]
    if lost := next((sample_id for sample_id in ids if split_of[sample_id] not in SPLITS), None):
        raise DataError(
            f"{task.id}: {lost} is in the split {split_of[lost]!r:.60}, which is none of {', '.join(SPLITS)}; correct "
            "the dataset."
        )
    targets = {sample_id: columns[base["target"]][sample_id] for sample_id in ids}
    for sample_id, value in targets.items():
        if not isinstance(value, Real) or not math.isfinite(value):
            raise DataError(f"{task.id}: the target of {sample_id} is {value!r}, not a number; correct the dataset.")
        if task.target.kind == "classification" and value not in (0, 1):
            raise DataError(
                f"{task.id} is a binary target, and that of {sample_id} is {value!r}, neither 0 nor 1; correct the "
                "dataset, or make it a target of kind regression."
            )
    if task.target.kind == "classification" and len({bool(value) for value in targets.values()}) < 2:
        raise DataError(f"{task.id} has rows of one class only, so there is nothing to predict.")


def _definition(found: TaskRef) -> Task:
    facts = found.dataset.facts
    return Task(
        id=found.id,
        dataset=facts.id,
        target=found.target,
        source=found.source,
        channels=facts.channels,
        text_tiers=facts.text_tiers,
        schemes=facts.schemes,
        license=facts.license,
        citation=facts.citation,
        release=found.release,
    )


def _split_reference(reference: str) -> tuple[str, str]:
    """A reference to a task as one to its dataset, and the name of the target; empty where none is named."""
    name, _, target = reference.partition("/")
    if name in DATASETS or _release(name):
        return name, target
    if (Path(reference) / MANIFEST).is_file():
        return reference, ""
    if (Path(reference).parent / MANIFEST).is_file():
        return str(Path(reference).parent), Path(reference).name
    if "@" in reference:
        repository, _, rest = reference.partition("@")
        commit, _, target = rest.partition("/")
        return f"{repository}@{commit}", target
    raise DataError(unknown_name("task", reference, task_ids(), "`ecdbench tasks` lists them all."))
