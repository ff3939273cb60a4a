"""The datasets there are, and the tasks they give."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from ..benchmark.errors import DataError, unknown_name
from ..benchmark.task import Target, Task
from .definition import DatasetModule
from .folder import MANIFEST, FolderDataset

_MODULES = {"ecd-fcc": ".ecd_fcc", "mp-fcc": ".mp_fcc", "sfe": ".sfe"}


@dataclass(frozen=True)
class TaskPlace:
    """A task that was found: its dataset, its target, and what finds it again."""

    dataset: DatasetModule
    target: Target
    source: str


def dataset_names() -> list[str]:
    """The datasets that ecdbench knows by name."""
    return list(_MODULES)


def dataset_module(dataset: str) -> DatasetModule:
    """The module that defines a dataset."""
    return cast(DatasetModule, importlib.import_module(_MODULES[dataset], __package__))


def find_dataset(reference: str) -> DatasetModule:
    """A dataset by name, by the path of its folder, or by `ORG/NAME@COMMIT` on the Hugging Face Hub.

    Raises:
        DataError: there is no such dataset, or it is not pinned to a commit.
        ServiceError: the Hub does not answer and the commit is not in its cache.
    """
    if reference in _MODULES:
        return dataset_module(reference)
    if (Path(reference) / MANIFEST).is_file():
        return FolderDataset(Path(reference), "Build or download the dataset again.")
    if "@" in reference:
        from .hub import download

        folder = download(reference)
        return FolderDataset(folder, f"Delete {folder.parents[1]} and load the dataset again from the Hub.")
    known = list(_MODULES)
    remedy = f"There are {', '.join(known)}, folders with a {MANIFEST}, and ORG/NAME@COMMIT on the Hub."
    raise DataError(unknown_name("dataset", reference, known, remedy))


def task_ids() -> list[str]:
    """Every task of the datasets known by name, as it is written on the command line."""
    return [task_id(dataset_module(name), target) for name in _MODULES for target in dataset_module(name).FACTS.targets]


def task_id(dataset: DatasetModule, target: Target) -> str:
    """A task's id: the dataset and the target, or the dataset alone where it has one target."""
    facts = dataset.FACTS
    return facts.id if len(facts.targets) == 1 else f"{facts.id}/{target.name}"


def find_task(reference: str) -> TaskPlace:
    """A task by its id, or by a dataset's folder or `ORG/NAME@COMMIT` with `/TARGET` behind.

    Raises:
        DataError: there is no such task; the message names the nearest ones.
        ServiceError: as `find_dataset` says.
    """
    place, name = _cut_target(reference)
    dataset = find_dataset(place)
    place = str(Path(place).resolve()) if isinstance(dataset, FolderDataset) and "@" not in place else place
    targets = {target.name: target for target in dataset.FACTS.targets}
    if len(targets) == 1 and name in ("", *targets):
        return TaskPlace(dataset, dataset.FACTS.targets[0], place)
    if name not in targets:
        known = [f"{place}/{target}" for target in targets]
        raise DataError(unknown_name("task", reference, known, f"There are {', '.join(known)}."))
    return TaskPlace(dataset, targets[name], f"{place}/{name}")


def get_task(place: TaskPlace, data_dir: Path) -> Task:
    """The task at a place.

    Raises:
        DataError: the dataset is not there yet.
    """
    facts, manifest = place.dataset.FACTS, place.dataset.manifest(data_dir)
    if manifest is None:
        place.dataset.open_dataset(data_dir)  # says what is missing and what to do
        raise DataError(f"{facts.id} is not there.")
    return Task(
        id=task_id(place.dataset, place.target),
        dataset=facts.id,
        target=place.target,
        source=place.source,
        content_sha256=manifest["content_sha256"],
        channels=facts.channels,
        text_tiers=facts.text_tiers,
        schemes=facts.schemes,
        license=facts.license,
        citation=facts.citation,
    )


def _cut_target(reference: str) -> tuple[str, str]:
    """A reference to a task as one to its dataset, and the name of the target; empty where none is named."""
    name, _, target = reference.partition("/")
    if name in _MODULES:
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
