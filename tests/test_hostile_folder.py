"""Commands that are given in a stranger's folder run none of the code that lies in it."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from ecdbench.submissions.entry import accepted_entries

from .tasks.builder.conftest import as_chgcar

ECDBENCH = Path(sys.executable).with_name("ecdbench")
# Modules that Python's own start of a process, or a library, imports at some time.
MODULES = ("select", "signal", "socket", "struct", "pickle", "random", "json", "sitecustomize", "yaml", "numpy", "ase")


@pytest.fixture
def hostile(tmp_path):
    """A repository with modules, a monitor of files, hooks and a filter that all leave a mark, and entries in it."""
    folder, mark = tmp_path / "stranger", tmp_path / "mark"
    shutil.copytree(accepted_entries() / "ecd-fcc--k_vrh" / "mean", folder / "entries" / "ecd-fcc--k_vrh" / "mean")
    for name in MODULES:
        (folder / f"{name}.py").write_text(f"open({str(mark)!r}, 'a').write('{name} ')\n")
    command = f"sh -c 'echo git >> {mark}; cat'"
    for git in (["init", "-q"], ["add", "-A"], ["-c", "user.name=a", "-c", "user.email=a", "commit", "-qm", "a"]):
        subprocess.run(["git", *git], cwd=folder, check=True)
    for name, value in {"core.fsmonitor": command, "filter.x.clean": command, "core.sshCommand": command}.items():
        subprocess.run(["git", "config", name, value], cwd=folder, check=True)
    hook = folder / ".git" / "hooks" / "post-index-change"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\necho hook >> {mark}\n")
    hook.chmod(0o755)
    (folder / ".git" / "info" / "attributes").write_text("* filter=x\n")
    (folder / "select.py").touch()  # git must look at it again
    return folder, mark


def commands(folder, raw_dir):
    from ecdbench.tasks.builder.densities import read_volume

    source = folder / "mine"
    (source / "densities").mkdir(parents=True)
    as_chgcar(read_volume(raw_dir / "densities" / "mp-101.npz")).write_file(source / "densities" / "mp-101.CHGCAR")
    (source / "properties.csv").write_text("id,k_vrh\nmp-101,346.3\n")
    yield "verify", "entries"
    yield "leaderboard", "entries", "--format", "html"
    yield "evaluate", "composition-forest", "--task", "ecd-fcc/k_vrh", "-q"
    yield "leaderboard", "runs"
    yield "check", "mean"
    yield "build", "mine", "--source", "mine", "--out", "built", "--workers", "1"


def test_nothing_of_the_folder_is_run(hostile, raw_dir):
    folder, mark = hostile
    for command in commands(folder, raw_dir):
        done = subprocess.run([ECDBENCH, *command], cwd=folder, check=False, capture_output=True, text=True)
        assert not mark.exists(), (command, mark.read_text())
        assert done.returncode == 0, (command, done.stderr)
    subprocess.run([sys.executable, "-c", "import random"], cwd=folder, check=True, env={})
    assert "random" in mark.read_text()  # the mark works
