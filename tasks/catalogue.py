"""The datasets there are, and the tasks they give."""

from __future__ import annotations

import hashlib
import importlib
import json
from typing import cast

from ..benchmark.errors import DataError, unknown_name
from ..benchmark.task import Task
from .definition import DatasetModule

_MODULES = {"ecd-fcc": ".ecd_fcc", "sfe": ".sfe"}


def dataset_module(dataset: str) -> DatasetModule:
    """The module that defines a dataset."""
    return cast(DatasetModule, importlib.import_module(_MODULES[dataset], __package__))


def task_ids() -> list[str]:
    """Every task, as it is written on the command line."""
    return [task for dataset in _MODULES for task in _tasks_of(dataset)]


def get_task(task_id: str) -> Task:
    """A task by its id.

    Raises:
        DataError: there is no such task; the message names the nearest ones.
    """
    for dataset in _MODULES:
        if task_id in (tasks := _tasks_of(dataset)):
            return tasks[task_id]
    raise DataError(unknown_name("task", task_id, task_ids(), "`ecdbench tasks` lists them all."))


def _tasks_of(dataset: str) -> dict[str, Task]:
    module = dataset_module(dataset)
    facts, manifest = module.FACTS, module.manifest()
    revision = hashlib.sha256(json.dumps(manifest["content_sha256"], sort_keys=True).encode()).hexdigest()[:12]
    tasks = {}
    for target in facts.targets:
        task_id = dataset if len(facts.targets) == 1 else f"{dataset}/{target.name}"
        tasks[task_id] = Task(
            id=task_id,
            dataset=dataset,
            target=target,
            revision=revision,
            content_sha256=manifest["content_sha256"],
            channels=facts.channels,
            text_tiers=facts.text_tiers,
            schemes=facts.schemes,
            license=facts.license,
            citation=facts.citation,
        )
    return tasks
