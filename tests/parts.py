"""Some of the rows of the packaged data, for tests that need not see them all."""

import heapq
import shutil
from collections.abc import Collection
from operator import itemgetter
from pathlib import Path

from ecdbench.benchmark.storage import write_json
from ecdbench.benchmark.task import SPLITS
from ecdbench.tasks.builder.blueprint import Blueprint
from ecdbench.tasks.builder.summary import Summary
from ecdbench.tasks.builder.writer import open_splits
from ecdbench.tasks.datasets import ecd_fcc
from ecdbench.tasks.datasets.folder import DatasetFolder
from ecdbench.tasks.datasets.manifest import MANIFEST


def part_of_ecd_fcc(out: Path, wanted: Collection[str]) -> Path:
    """Write the rows with these ids, and the other files of the dataset, as a dataset folder; return it."""
    packaged = DatasetFolder(ecd_fcc.PACKAGED, "")
    summary = Summary(Blueprint(packaged.facts))
    with open_splits(out, packaged.facts.columns) as writer:
        for row in heapq.merge(*(packaged.stream(split) for split in SPLITS), key=itemgetter("id")):
            if row["id"] in wanted:
                summary.add(writer.add_row(row))
    for path in ecd_fcc.PACKAGED.iterdir():
        if path.is_file() and not (out / path.name).exists():
            shutil.copyfile(path, out / path.name)
    write_json(out / MANIFEST, {**packaged.manifest, "targets": summary.targets(), **writer.manifest_entries()})
    return out
