"""The commit of a run, asked of a repository that may be a stranger's."""

import subprocess

import pytest
from ecdbench.benchmark.environment import describe_environment


def git(*arguments):
    identity = ["-c", "user.name=a", "-c", "user.email=a@b.c", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", *identity, *arguments], check=True, capture_output=True)


@pytest.fixture
def repository(tmp_path):
    """The current folder, with one commit; and a command that leaves a mark."""
    here, mark = tmp_path / "here", tmp_path / "mark"
    (here / "file.txt").write_text("one")
    git("init", "-q")
    git("add", "-A")
    git("commit", "-qm", "one")
    return here, mark, f"sh -c 'echo run >> {mark}; cat'"


def test_a_commit_and_whether_anything_changed(repository):
    here, _, _ = repository
    commit = describe_environment("cpu", "process").commit
    assert len(commit) == 40
    (here / "file.txt").write_text("two")
    assert describe_environment("cpu", "process").commit == f"{commit}+dirty"


def test_no_program_that_a_repository_names_is_run(repository):
    here, mark, command = repository
    git("config", "core.fsmonitor", command)
    git("config", "core.untrackedCache", "true")
    hook = here / ".git" / "hooks" / "post-index-change"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\necho hook >> {mark}\n")
    hook.chmod(0o755)
    (here / "file.txt").touch()  # the index is refreshed
    assert len(describe_environment("cpu", "process").commit) == 40
    assert not mark.exists()
    git("status")
    assert set(mark.read_text().split()) == {"run", "hook"}  # plain git runs both


def test_a_filter_of_the_repository_is_not_run(repository):
    here, mark, command = repository
    git("config", "filter.x.clean", command)
    (here / ".git" / "info" / "attributes").write_text("* filter=x\n")
    (here / "file.txt").write_text("two")
    assert describe_environment("cpu", "process").commit.endswith("+unknown")
    assert not mark.exists()
    git("status")
    assert mark.exists()
