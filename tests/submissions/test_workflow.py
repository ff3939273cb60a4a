"""The workflow for pull requests: its own steps, run by bash on repositories on this disk."""

import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

FILE = Path(__file__).parents[2] / ".github" / "workflows" / "entries.yml"
STEPS = {step.get("name"): step for step in yaml.safe_load(FILE.read_text())["jobs"]["verify"]["steps"]}
TAKE = STEPS["The entries, from the pull request, and nothing else of it"]["run"]


def git(folder, *arguments):
    identity = ["-c", "user.name=a", "-c", "user.email=a@b.c", "-c", "commit.gpgsign=false"]
    done = subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture
def repositories(tmp_path, honest):
    """A checkout of the base with one accepted entry, and a branch for the pull request in another."""
    offered, base = tmp_path / "fork", tmp_path / "base"
    shutil.copytree(honest, offered / "submissions" / "entries" / honest.parent.name / "accepted")
    (offered / "README.md").write_text("x")
    git(offered, "init", "-q", "-b", "main")
    git(offered, "add", "-A")
    git(offered, "commit", "-qm", "base")
    git(tmp_path, "clone", "-q", str(offered), str(base))
    return offered, base, offered / "submissions" / "entries" / honest.parent.name


def offer(offered):
    """Commit what is in the fork as pull request 1."""
    git(offered, "add", "-A")
    git(offered, "commit", "-qm", "offer")
    git(offered, "update-ref", "refs/pull/1/head", "HEAD")


def take(base, update="false"):
    """Run the step that takes the entries."""
    variables = {"BASE": git(base, "rev-parse", "HEAD"), "NUMBER": "1", "UPDATE": update, "PATH": "/usr/bin:/bin"}
    return subprocess.run(
        ["bash", "-e", "-c", TAKE], check=False, cwd=base, env=variables, capture_output=True, text=True
    )


def test_a_new_entry_is_taken_as_data(repositories, honest, cli):
    offered, base, entries = repositories
    shutil.copytree(honest, entries / "honest")
    offer(offered)
    assert take(base).returncode == 0
    assert sorted(path.name for path in (base / "offered").iterdir()) == ["submissions"]
    assert cli("verify", base / "offered/submissions/entries" / honest.parent.name / "honest").code == 0


def test_a_pull_request_that_changes_anything_else_is_refused(repositories, honest):
    offered, base, entries = repositories
    shutil.copytree(honest, entries / "honest")
    (offered / "README.md").write_text("y")
    offer(offered)
    outcome = take(base)
    assert outcome.returncode == 1 and "README.md" in outcome.stdout


@pytest.mark.parametrize("change", ["edit", "delete", "move"])
def test_accepted_entries_change_only_with_a_maintainers_label(repositories, change):
    offered, base, entries = repositories
    if change == "edit":
        (entries / "accepted" / "card.yaml").write_text("name: mine")
    elif change == "delete":
        shutil.rmtree(entries / "accepted" / "cv-official")
    else:
        (entries / "accepted").rename(entries / "taken")
    offer(offered)
    outcome = take(base)
    assert outcome.returncode == 1 and "accepted already" in outcome.stdout
    assert take(base, "true").returncode == 0


def test_nothing_of_the_pull_request_is_run():
    text = FILE.read_text()
    assert yaml.safe_load(text)["permissions"] == {"contents": "read"}
    assert "secrets." not in text and "github.event.pull_request.title" not in text
    runs = "\n".join(step.get("run", "") for step in STEPS.values())
    assert "${{" not in runs  # no text of the pull request reaches a shell
    assert "offered" not in runs.replace("mkdir offered", "").replace("-C offered", "").replace("verify offered", "")
