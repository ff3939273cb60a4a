"""Put together the folder that is published, file by file."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

import yaml

from ...benchmark.errors import DataError
from ...benchmark.storage import write_text
from ...benchmark.task import SPLITS
from ..catalogue import find_dataset
from ..definition import DatasetFacts, DatasetModule
from ..folder import MANIFEST, DatasetFolder
from .check import check_dataset, check_license

_FILES = (*(f"{split}.parquet" for split in SPLITS), MANIFEST, "README.md", "croissant.json")
_DEFINITION = "eval.yaml"
_OPTIONAL = ("failures.csv", "distributions.png")


def stage_dataset(reference: str, data_dir: Path, out: Path, permitted: bool) -> DatasetFacts:
    """Write the exact folder that a repository is to hold: data, card, manifest, Croissant, leaderboard definition.

    Args:
        reference: the dataset: a name, a folder, or one that is published already.
        data_dir: where datasets that are not packaged are.
        out: the folder to fill; an earlier one of this kind is replaced.
        permitted: the user has permission to publish data whose license is not stated.

    Raises:
        DataError: there is no such dataset, it is not fit to be published, or `out` holds something else.
    """
    if out.exists() and not (out / _DEFINITION).is_file():
        raise DataError(f"{out} is not an earlier dry run; move it away first.")
    dataset = find_dataset(reference)
    check_license(dataset.FACTS, permitted)
    with tempfile.TemporaryDirectory() as scratch:
        source = _folder_of(dataset, data_dir, Path(scratch))
        if source.resolve() == out.resolve():
            raise DataError(f"{out} is the dataset itself; publish it under another name, or without --dry-run.")
        facts = check_dataset(source, permitted)
        if out.exists():
            shutil.rmtree(out)
        _copy(source, out)
    definition = yaml.safe_dump(leaderboard_definition(facts), sort_keys=False, allow_unicode=True, width=100)
    write_text(out / _DEFINITION, definition)
    return facts


def _copy(source: Path, out: Path) -> None:
    out.mkdir(parents=True)
    figures = [path.name for path in sorted(source.glob("gallery_*.png"))]
    for name in (*_FILES, *(name for name in (*_OPTIONAL, *figures) if (source / name).exists())):
        shutil.copyfile(source / name, out / name)


def leaderboard_definition(facts: DatasetFacts) -> dict[str, Any]:
    """The Hub's `eval.yaml` (huggingface.co/docs/hub/eval-results): a task for each target, scored on the holdout.

    The Hub ranks by one number, the larger the better; that is the skill, 1 - RMSE / RMSE of the training mean, which
    ranks as RMSE does.
    """
    return {
        "name": f"{facts.id}: {facts.title}",
        "description": (
            f"{facts.title}. One task for each target, scored on the fixed holdout. The value is the skill, "
            "1 - RMSE / RMSE(mean of train): 1 is perfect, 0 is the training mean. Intervals, coverage and other "
            "metrics come with `ecdbench evaluate MODEL --task ORG/NAME@COMMIT/TARGET`."
        ),
        "evaluation_framework": "ecdbench",
        "tasks": [{"id": target.name, "config": "default", "split": "holdout"} for target in facts.targets],
    }


def _folder_of(dataset: DatasetModule, data_dir: Path, scratch: Path) -> Path:
    """The dataset as a folder; `sfe`, which is files of another form, is written as one into `scratch`."""
    opened = dataset.open_dataset(data_dir)
    if isinstance(opened, DatasetFolder):
        return opened.folder
    from ..build.sfe_folder import write_sfe_folder

    write_sfe_folder(opened, scratch)
    return scratch
