"""A small dataset, since what is published is synthesised and written anew by each test."""

import pytest
from ecdbench.tasks.catalogue import load_task
from ecdbench.tasks.datasets import DATASETS
from ecdbench.tasks.datasets.folder import FolderDefinition

from ...parts import part_of_ecd_fcc
from ...servers.hub import hub_server


@pytest.fixture(scope="session")
def few_crystals(tmp_path_factory):
    """The packaged dataset with 60 of its crystals, each of them with a bulk modulus."""
    return part_of_ecd_fcc(tmp_path_factory.mktemp("ecd-fcc"), set(load_task("ecd-fcc@1/k_vrh").ids[::3][:60]))


@pytest.fixture(autouse=True)
def _few_crystals(few_crystals, monkeypatch):
    monkeypatch.setitem(DATASETS._loaded, "ecd-fcc", FolderDefinition(few_crystals, "Build it again.", "packaged"))


@pytest.fixture
def hub(monkeypatch, tmp_path):
    """A Hub on this machine, with a cache of its own."""
    with hub_server() as server:
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_XET", True)
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hf"))
        monkeypatch.setattr("ecdbench.tasks.hub.push.push_dataset.__defaults__", (0.01,))
        yield server
