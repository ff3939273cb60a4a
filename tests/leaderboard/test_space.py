"""Publishing the board to a Hub on this machine with the real client."""

import json
import shutil

import pytest
import yaml
from huggingface_hub import parse_eval_result_entries

from ..servers.hub import hub_server

REPO = "my-org/leaderboard"


@pytest.fixture
def hub(monkeypatch, tmp_path, honest):
    """A Hub, and one accepted entry."""
    entries = tmp_path / "entries"
    shutil.copytree(honest.parent, entries / honest.parent.name)
    monkeypatch.setattr("ecdbench.submissions.entry.accepted_entries", lambda: entries)
    with hub_server() as server:
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_XET", True)
        yield server


def files(hub):
    repository = hub.repositories[REPO]
    return repository.commits[repository.main]


def test_the_board_becomes_a_space(cli, hub):
    outcome = cli("publish", "leaderboard", "--repo", REPO)
    assert outcome.code == 0, outcome.err
    assert "/spaces/my-org/leaderboard (public): published" in outcome.out
    pushed = files(hub)
    assert b"sdk: static" in pushed["README.md"] and pushed["index.html"].startswith(b"<!doctype html>")
    (row,) = [row for row in json.loads(pushed["leaderboard.json"])["rows"] if row["protocol"] == "fixed"]
    written = yaml.safe_load(pushed["eval_results/honest/ecd-fcc--k_vrh.yaml"])
    (entry,) = parse_eval_result_entries(written)
    assert (entry.dataset_id, entry.task_id) == ("my-org/ecd-fcc", "k_vrh")
    assert entry.value == pytest.approx(row["skill"], abs=1e-6) and f"RMSE {row['rmse']:.3g}" in entry.notes


def test_a_dry_run_pushes_nothing_and_other_spaces_are_left_alone(cli, hub, tmp_path):
    assert "Nothing was pushed" in cli("publish", "leaderboard", "--repo", REPO, "--dry-run").out
    assert hub.repositories == {}
    assert (tmp_path / "here/published/my-org--leaderboard/index.html").is_file()
    cli("publish", "leaderboard", "--repo", REPO)
    files(hub).pop("leaderboard.json")
    before = hub.repositories[REPO].main
    assert "holds something other" in cli("publish", "leaderboard", "--repo", REPO).err
    assert hub.repositories[REPO].main == before


def test_a_board_that_leaves_entries_out_is_not_published(cli, hub, honest, tmp_path):
    (tmp_path / "entries" / honest.parent.name / "honest" / "card.yaml").write_text("name: x")
    outcome = cli("publish", "leaderboard", "--repo", REPO)
    assert outcome.code == 1 and "1 entries cannot be shown" in outcome.err and hub.repositories == {}
