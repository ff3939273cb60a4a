"""Commands that are given in a stranger's folder run none of the code that lies in it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from ecdbench.submissions.entry import accepted_entries

from .tasks.builder.conftest import as_chgcar, seed_descriptions
from .tasks.datasets.hostile import EPS, image, write_honest

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
    image(EPS)(write_honest(folder / "gems"))
    return folder, mark


def commands(folder, raw_dir):
    """Commands, and what one says that refuses the dataset in the folder."""
    from ecdbench.tasks.builder.densities import read_volume

    source = folder / "mine"
    (source / "densities").mkdir(parents=True)
    as_chgcar(read_volume(raw_dir / "densities" / "mp-101.npz")).write_file(source / "densities" / "mp-101.CHGCAR")
    (source / "properties.csv").write_text("id,k_vrh\nmp-101,346.3\n")
    yield ("verify", "entries"), ""
    yield ("leaderboard", "entries", "--format", "html"), ""
    yield ("evaluate", "mean", "--task", "ecd-fcc/k_vrh", "-q"), ""
    (run,) = (folder / "runs").glob("*/*")
    yield ("leaderboard", "runs"), ""
    yield ("show", run), ""
    yield ("compare", run, run), ""
    yield ("card", "init"), ""
    yield ("submit", run, "--card", "card.yaml", "--out", "mine"), "texts of the template"
    yield ("check", "mean"), ""
    yield ("tune", "knn-composition", "--task", "ecd-fcc/k_vrh", "--search", "neighbours=2:9:1", "--trials", "1"), ""
    yield ("models",), ""
    yield ("build", "mine", "--source", "mine", "--out", "built", "--workers", "1"), ""
    yield ("tasks", "show", "built/k_vrh"), ""
    yield ("tasks", "show", "gems/hardness"), ""
    yield ("evaluate", "mean", "--task", "gems/hardness"), "no PNG or JPEG"
    yield ("audit", "gems/hardness"), "no PNG or JPEG"
    yield ("publish", "gems", "--repo", "a/b", "--dry-run"), "no PNG or JPEG"


def test_nothing_of_the_folder_is_run(hostile, raw_dir, tmp_path):
    folder, mark = hostile
    seed_descriptions(tmp_path / "cache")
    ghostscript = tmp_path / "bin" / "gs"
    ghostscript.parent.mkdir()
    ghostscript.write_text(f"#!/bin/sh\necho gs >> {mark}\n")
    ghostscript.chmod(0o755)
    environment = os.environ | {"PATH": f"{ghostscript.parent}{os.pathsep}{os.environ['PATH']}"}
    for command, refusal in commands(folder, raw_dir):
        done = subprocess.run(
            [ECDBENCH, *command], cwd=folder, check=False, capture_output=True, text=True, env=environment
        )
        assert not mark.exists(), (command, mark.read_text())
        assert done.returncode == bool(refusal) and refusal in done.stderr, (command, done.stderr)
    subprocess.run([sys.executable, "-c", "import random"], cwd=folder, check=True, env={})
    assert "random" in mark.read_text()  # the mark works
