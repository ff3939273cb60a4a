"""A test endpoint, and the command that queries it."""

import heapq
from operator import itemgetter

import numpy as np
import pyarrow as pa
import pytest
from ecdbench.benchmark.storage import write_json
from ecdbench.benchmark.task import SPLITS
from ecdbench.tasks.builder.blueprint import Blueprint, row_schema
from ecdbench.tasks.builder.summary import Summary
from ecdbench.tasks.builder.writer import open_splits
from ecdbench.tasks.catalogue import load_task
from ecdbench.tasks.datasets import DATASETS, ecd_fcc
from ecdbench.tasks.datasets.folder import MANIFEST, DatasetFolder, FolderDefinition

from ...servers.faults import Serving
from ...servers.llm import LanguageModel

KEY = "sk-test-7f3e9a1c5d"


@pytest.fixture
def serve(monkeypatch):
    """Serve a test language model at `.url`."""
    pytest.importorskip("openai")
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    open_servers = []

    def start(**given):
        model = LanguageModel(**given)
        serving = Serving(model)
        serving.__enter__()
        open_servers.append(serving)
        model.url = f"{serving.url}/v1"
        return model

    yield start
    for serving in open_servers:
        serving.__exit__()


@pytest.fixture
def ask(cli):
    """Run `ecdbench evaluate in-context` against an endpoint."""

    def run(url, *arguments, task="ecd-fcc/k_vrh", text="single", model="made-up"):
        settings = ("--set", f"model={model}", "--set", f"base_url={url}")
        return cli("evaluate", "in-context", "--task", task, "--text", text, *settings, *arguments)

    return run


@pytest.fixture(scope="session")
def some_crystals(tmp_path_factory):
    """The packaged dataset with 189 of its crystals, so that fewer questions are asked: 32 in the holdout of k_vrh."""
    out, packaged = tmp_path_factory.mktemp("ecd-fcc"), DatasetFolder(ecd_fcc.PACKAGED, "")
    wanted = {*load_task("ecd-fcc@1/band_gap").ids, "mp-11236"}
    schema, summary = row_schema(packaged.facts.columns), Summary(Blueprint(packaged.facts))
    with open_splits(out, packaged.facts.columns) as writer:
        for row in heapq.merge(*(packaged.stream(split) for split in SPLITS), key=itemgetter("id")):
            if row["id"] in wanted:
                plain = {name: cell.tolist() if isinstance(cell, np.ndarray) else cell for name, cell in row.items()}
                summary.add(writer.add(pa.Table.from_pylist([plain], schema=schema)))
    write_json(out / MANIFEST, {**packaged.manifest, "targets": summary.targets(), **writer.manifest_entries()})
    return out


@pytest.fixture(autouse=True)
def _some_crystals(some_crystals, monkeypatch):
    monkeypatch.setitem(DATASETS._loaded, "ecd-fcc", FolderDefinition(some_crystals, "Build it again.", "packaged"))


@pytest.fixture
def k_vrh(_some_crystals):
    """The task ecd-fcc/k_vrh on these crystals."""
    return load_task("ecd-fcc/k_vrh")
