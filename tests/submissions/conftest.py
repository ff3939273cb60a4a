"""An honest entry, made once."""

import os

import pytest
from ecdbench import evaluate
from ecdbench.submissions.card import TEMPLATE
from ecdbench.submissions.reference import References
from ecdbench.submissions.submit import submit

FILLED = TEMPLATE.replace("Your Name", "A. Nobody").replace("What a reader should know.", "A test.")


@pytest.fixture(scope="session")
def card_text():
    return FILLED.replace("my-model", "honest").replace("[image]", "[formula]")


@pytest.fixture(scope="session")
def honest(tmp_path_factory, card_text):
    """An entry of knn-composition on ecd-fcc/k_vrh, both protocols. Copy it before changing it."""
    folder = tmp_path_factory.mktemp("honest")
    os.environ["ECDBENCH_CACHE"] = str(folder / "cache")
    runs = [evaluate("knn-composition", "ecd-fcc/k_vrh", protocol=p, out=folder / "runs") for p in ("fixed", "cv")]
    (folder / "card.yaml").write_text(card_text)
    (entry,) = submit([run.folder for run in runs], folder / "card.yaml", folder / "entries", References())
    return entry
