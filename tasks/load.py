"""Open a task: check the data, then prepare rows, splits and folds."""

from __future__ import annotations

import os
from pathlib import Path

from ..benchmark.errors import DataError, unknown_name
from ..benchmark.task import SPLITS, InputOptions, TaskData
from .catalogue import find_task, get_task
from .rows import SomeRows
from .splits import ids_by_split


def default_data_dir() -> Path:
    """Where datasets that are not packaged live: `ECDBENCH_DATA`, or a folder in the user's cache."""
    if folder := os.environ.get("ECDBENCH_DATA"):
        return Path(folder)
    import platformdirs

    return platformdirs.user_cache_path("ecdbench") / "data"


def load_task(
    task: str,
    *,
    text: str = "none",
    channel: str | None = None,
    split: str | None = None,
    data_dir: Path | str | None = None,
) -> TaskData:
    """Load a task's rows, checked against their content hashes.

    Args:
        task: task id, as in `ecd-fcc/k_vrh` or `sfe`; a dataset's folder with `/TARGET` behind; or
            `ORG/NAME@COMMIT/TARGET` for one on the Hugging Face Hub, COMMIT being 40 digits.
        text: text tier: `none`, `single`, `key` or `all`.
        channel: density channel; the dataset's first by default.
        split: split scheme; `official` by default.
        data_dir: where datasets that are not packaged are; `ECDBENCH_DATA` or the user's cache by default.

    Returns:
        The rows that have the target, without their targets.

    Raises:
        DataError: unknown task or option, data absent or changed.
        ServiceError: the Hub does not answer, and the commit is not in its cache.

    Example:
        >>> data = load_task("ecd-fcc/k_vrh", text="single")
        >>> train = data.labelled(data.splits["train"])
    """
    place = find_task(task)
    folder = Path(data_dir) if data_dir is not None else default_data_dir()
    definition = get_task(place, folder)
    channel, split = channel or definition.channels[0], split or definition.schemes[0]
    for kind, name, known in (
        ("text tier", text, ("none", *definition.text_tiers)),
        ("density channel", channel, definition.channels),
        ("split", split, definition.schemes),
    ):
        if name not in known:
            remedy = f"{definition.dataset} has {', '.join(known)}."
            raise DataError(unknown_name(kind, name, known, remedy))
    dataset = place.dataset.open_dataset(folder)
    known_ids = sorted(dataset.targets(definition.target.name))
    rows, folds, groups = dataset.rows(channel, text), dataset.fold_of(split), dataset.groups()
    return TaskData(
        task=definition,
        options=InputOptions(text, channel, split),
        rows=SomeRows(rows, known_ids),
        splits=ids_by_split(dataset.split_of(split), known_ids, SPLITS),
        folds={material: folds[material] for material in known_ids},
        groups={material: groups[material] for material in known_ids},
        _read_targets=dataset.targets,
    )
