"""A small dataset, since what is published is synthesised and written anew by each test."""

import pytest
from ecdbench.tasks.catalogue import load_task
from ecdbench.tasks.datasets import DATASETS
from ecdbench.tasks.datasets.folder import FolderDefinition

from ...parts import part_of_ecd_fcc


@pytest.fixture(scope="session")
def few_crystals(tmp_path_factory):
    """The packaged dataset with 60 of its crystals, each of them with a bulk modulus."""
    return part_of_ecd_fcc(tmp_path_factory.mktemp("ecd-fcc"), set(load_task("ecd-fcc@1/k_vrh").ids[::3][:60]))


@pytest.fixture(autouse=True)
def _few_crystals(few_crystals, monkeypatch):
    monkeypatch.setitem(DATASETS._loaded, "ecd-fcc", FolderDefinition(few_crystals, "Build it again.", "packaged"))
