"""Fixtures: real data where they are, temporary folders for runs, and the command line in this process."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from ecdbench.tasks.catalogue import load_task
from ecdbench.tasks.datasets.sfe import StackingFaults
from hypothesis import settings

# Times say nothing on a busy machine.
settings.register_profile("ecdbench", deadline=None)
settings.load_profile("ecdbench")


def _data_dir() -> Path | None:
    folder = os.environ.get("ECDBENCH_DATA")
    return Path(folder).resolve() if folder else None


@pytest.fixture(scope="session")
def sfe_dir() -> Path:
    """The data folder that holds the real sfe files."""
    folder = _data_dir()
    if folder is None or StackingFaults().presence(folder) != "present":
        pytest.skip("the sfe files are not here; `ecdbench fetch sfe` and ECDBENCH_DATA bring them")
    return folder


@pytest.fixture(scope="session")
def raw_dir() -> Path:
    """The raw folder of ecd-fcc: densities, structures, properties."""
    folder = _data_dir()
    if folder is None or not (folder / "ecd-fcc" / "densities").is_dir():
        pytest.skip("the raw folder of ecd-fcc is not here; ECDBENCH_DATA says where it is")
    return folder / "ecd-fcc"


@pytest.fixture(autouse=True)
def _own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every test runs in its own folder with its own cache."""
    monkeypatch.setenv("ECDBENCH_CACHE", str(tmp_path / "cache"))
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")


@pytest.fixture(scope="session")
def k_vrh():
    """The task ecd-fcc/k_vrh, image only."""
    return load_task("ecd-fcc/k_vrh")


@dataclass
class Outcome:
    """What a command printed and how it ended."""

    code: int
    out: str
    err: str


@pytest.fixture
def cli(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Outcome]:
    """Run `ecdbench ARGUMENTS` as its entry point does."""
    from ecdbench.cli.app import main

    def run(*arguments: object) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["ecdbench", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as stop:
            main()
        captured = capsys.readouterr()
        code = stop.value.code
        return Outcome(code if isinstance(code, int) else int(code is not None), captured.out, captured.err)

    return run


@pytest.fixture
def write_model(tmp_path: Path) -> Callable[[str], Path]:
    """Write a model file."""

    def write(source: str, name: str = "model.py") -> Path:
        path = tmp_path / name
        path.write_text(source)
        return path

    return write
