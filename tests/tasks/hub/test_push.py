"""Publishing to a Hub on this machine with the real client, and loading from it."""

import json
import shutil

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from ecdbench.benchmark.errors import DataError, ServiceError
from ecdbench.tasks.catalogue import load_task

from ...servers.hub import READER, STRANGER

REPO = "my-org/ecd-fcc"


@pytest.fixture
def folder(few_crystals, tmp_path):
    """A copy of the dataset, which a test may damage."""
    return shutil.copytree(few_crystals, tmp_path / "copy")


def commit_of(outcome):
    return next(line.split()[1] for line in outcome.out.splitlines() if line.startswith("Commit: "))


def test_publish_then_evaluate_on_the_published_copy(cli, hub, tmp_path):
    published = cli("publish", "ecd-fcc", "--repo", REPO)
    assert published.code == 0, published.err
    task = f"{REPO}@{commit_of(published)}/k_vrh"
    assert task in published.out
    remote, local = load_task(task), load_task("ecd-fcc/k_vrh")
    assert remote.pins(["image", "text"], True) == local.pins(["image", "text"], True)
    assert remote.task.id == local.task.id
    scores = []
    for reference, name in ((task, "hub"), ("ecd-fcc/k_vrh", "here")):
        outcome = cli("evaluate", "pixel-ridge", "--task", reference, "--out", tmp_path / name, "--fresh", "--json")
        scores.append(json.loads(outcome.out)["scores"])
    for split, expected in scores[1].items():
        for metric in ("rmse", "r2", "mae", "skill"):
            for part in ("value", "low", "high"):
                assert scores[0][split]["metrics"][metric][part] == pytest.approx(
                    expected["metrics"][metric][part], rel=1e-12
                )
    predictions = [pd.read_parquet(next((tmp_path / name).rglob("predictions.parquet"))) for name in ("hub", "here")]
    pd.testing.assert_frame_equal(*predictions, check_exact=True)
    board = cli("leaderboard", tmp_path / "hub", tmp_path / "here", "--format", "json")
    assert len(json.loads(board.out)["rows"]) == 2


def test_changed_data_and_an_earlier_release_are_not_published(cli, folder):
    table = pq.read_table(folder / "holdout.parquet")
    values = [12345.0, *table.column("k_vrh").to_pylist()[1:]]
    changed = table.set_column(table.column_names.index("k_vrh"), "k_vrh", pa.array(values))
    pq.write_table(changed, folder / "holdout.parquet")
    refused = cli("publish", folder, "--repo", REPO, "--dry-run")
    assert refused.code == 1 and "the column k_vrh does not match the manifest" in refused.err
    refused = cli("publish", "ecd-fcc@1", "--repo", REPO, "--dry-run")
    assert refused.code == 1 and "ecd-fcc@1 is an earlier release" in refused.err
    assert refused.err.count("\n") == 1


def test_the_repository_holds_what_a_dry_run_writes(cli, hub, tmp_path):
    assert "Nothing was pushed" in cli("publish", "ecd-fcc", "--repo", REPO, "--dry-run").out
    assert hub.repositories == {}
    cli("publish", "ecd-fcc", "--repo", REPO)
    repository = hub.repositories[REPO]
    pushed = {path: content for path, content in repository.commits[repository.main].items() if path[0] != "."}
    staged = tmp_path / "here" / "published" / "my-org--ecd-fcc"
    assert pushed == {path.name: path.read_bytes() for path in staged.iterdir()}
    definition = yaml.safe_load(pushed["eval.yaml"])
    assert definition["evaluation_framework"] == "ecdbench"
    assert {"id": "k_vrh", "config": "default", "split": "holdout"} in definition["tasks"]


def test_unchanged_content_makes_no_commit_and_changed_content_makes_one(cli, hub, folder):
    first = cli("publish", folder, "--repo", REPO, "--private")
    again = cli("publish", folder, "--repo", REPO)
    assert hub.repositories[REPO].private
    assert "unchanged, no new commit" in again.out
    assert commit_of(first) == commit_of(again)
    (folder / "gallery_spin.png").unlink()
    assert commit_of(cli("publish", folder, "--repo", REPO)) != commit_of(first)
    assert "gallery_spin.png" not in hub.repositories[REPO].commits[hub.repositories[REPO].main]
    assert len(hub.repositories[REPO].tags) == 1


@pytest.mark.parametrize("part", ["/lfs/", "/commit/", "/tag/"])
def test_an_interrupted_push_is_completed_by_the_same_command(cli, hub, part):
    hub.app.always[part] = 500
    outcome = cli("publish", "ecd-fcc", "--repo", REPO)
    assert outcome.code == 1
    assert "run the same command again, which resumes" in outcome.err
    hub.app.always.clear()
    assert cli("publish", "ecd-fcc", "--repo", REPO).code == 0
    assert len(hub.repositories[REPO].commits) == 2  # the empty one and ours
    assert len(hub.repositories[REPO].tags) == 1


@pytest.mark.parametrize(
    ("token", "repo", "sentence"),
    [
        ("", REPO, "There is no Hub token"),
        ("hf_unknown", REPO, "does not accept your token"),
        (READER, REPO, "is read-only"),
        (STRANGER, REPO, "who is not in the organisation my-org"),
        (None, "my org/x", "'my org/x' is not a valid repository name"),
        (None, "x", "names no owner"),
    ],
)
def test_refusals_are_reported_in_one_sentence(cli, hub, monkeypatch, tmp_path, token, repo, sentence):
    if token is not None:
        monkeypatch.setenv("HF_TOKEN", token)
        monkeypatch.setattr("huggingface_hub.constants.HF_TOKEN_PATH", str(tmp_path / "no-token"))
    outcome = cli("publish", "ecd-fcc", "--repo", repo)
    assert outcome.code == 1
    assert sentence in outcome.err
    assert outcome.err.count("\n") == 1
    assert not token or token not in outcome.err


def test_a_repository_with_other_content_is_left_alone(cli, hub, sfe_dir):
    cli("publish", "ecd-fcc", "--repo", REPO)
    before = hub.repositories[REPO].main
    outcome = cli("publish", "sfe", "--repo", REPO, "--i-have-permission")
    assert "exists and holds ecd-fcc, not sfe" in outcome.err
    assert hub.repositories[REPO].main == before


@pytest.mark.parametrize("name", ["..", ".", "", "../..", "a b/../.."])
def test_a_dry_run_removes_no_other_files(cli, tmp_path, name):
    (tmp_path / "here" / "published").mkdir()
    (tmp_path / "here" / "thesis.txt").write_text("precious")
    assert cli("publish", "ecd-fcc", "--repo", name, "--dry-run").code == 1
    assert (tmp_path / "here" / "thesis.txt").read_text() == "precious"
    (tmp_path / "here" / "published" / "my-org--x").mkdir()
    cli("publish", "ecd-fcc", "--repo", "my-org/y", "--dry-run")
    itself = cli("publish", "published/my-org--y", "--repo", "my-org/y", "--dry-run")
    assert "is the dataset itself" in itself.err
    assert "was not written by an earlier dry run" in cli("publish", "ecd-fcc", "--repo", "my-org/x", "--dry-run").err


def test_a_repository_of_files_is_left_alone(cli, hub, folder):
    from huggingface_hub import HfApi

    api = HfApi(endpoint=hub.url)
    api.create_repo(REPO, repo_type="dataset")
    api.upload_file(path_or_fileobj=b"x", path_in_repo="important.csv", repo_id=REPO, repo_type="dataset")
    assert "exists and holds other files" in cli("publish", folder, "--repo", REPO).err
    text = (folder / "manifest.json").read_text()
    (folder / "manifest.json").write_text(text.replace('"dataset": "ecd-fcc"', '"dataset": null'))
    assert cli("publish", folder, "--repo", REPO).code == 1
    assert "important.csv" in hub.repositories[REPO].commits[hub.repositories[REPO].main]


def test_a_public_repository_is_refused_for_a_private_push(cli, hub):
    cli("publish", "ecd-fcc", "--repo", REPO)
    assert "exists and is public" in cli("publish", "ecd-fcc", "--repo", REPO, "--private").err


def test_sfe_needs_permission_and_keeps_its_rows(cli, hub, sfe_dir):
    refused = cli("publish", "sfe", "--repo", "my-org/sfe")
    assert "license is 'not stated" in refused.err
    assert "--i-have-permission" in refused.err
    assert hub.repositories == {}
    published = cli("publish", "sfe", "--repo", "my-org/sfe", "--i-have-permission")
    for scheme in ("official", "authors", "grouped"):
        remote = load_task(f"my-org/sfe@{commit_of(published)}", split=scheme, text="single")
        local = load_task("sfe", split=scheme, text="single")
        assert remote.splits == local.splits
        assert remote.folds == local.folds
        assert remote.groups == local.groups
        assert dict(remote.rows) == dict(local.rows)
        assert (remote.targets(remote.ids) == local.targets(local.ids)).all()


@pytest.mark.parametrize("revision", ["main", "content-ba707add23b2", "066aad2", "0" * 39, "A" * 40])
def test_an_unpinned_reference_is_refused(hub, revision):
    with pytest.raises(DataError, match="is not pinned to a commit"):
        load_task(f"{REPO}@{revision}/k_vrh")


def test_another_cached_commit_is_never_substituted(cli, hub, folder, monkeypatch):
    first = commit_of(cli("publish", folder, "--repo", REPO))
    load_task(f"{REPO}@{first}/k_vrh")
    (folder / "gallery_spin.png").unlink()
    second = commit_of(cli("publish", folder, "--repo", REPO))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    assert load_task(f"{REPO}@{first}/k_vrh").ids
    with pytest.raises(ServiceError, match="cache does not hold this commit of my-org/ecd-fcc completely"):
        load_task(f"{REPO}@{second}/k_vrh")


def test_a_missing_commit_and_a_missing_repository(cli, hub):
    cli("publish", "ecd-fcc", "--repo", REPO)
    with pytest.raises(DataError, match="has no commit 0000"):
        load_task(f"{REPO}@{'0' * 40}/k_vrh")
    with pytest.raises(DataError, match="There is no repository my-org/other on the Hub"):
        load_task(f"my-org/other@{'0' * 40}/k_vrh")


def test_data_modified_in_the_cache_are_refused(cli, hub, tmp_path):
    commit = commit_of(cli("publish", "ecd-fcc", "--repo", REPO))
    load_task(f"{REPO}@{commit}/k_vrh")
    (cached,) = (tmp_path / "hf").rglob("snapshots/*/holdout.parquet")
    table = pd.read_parquet(cached)
    cached.unlink()
    table.assign(k_vrh=1.0).to_parquet(cached)
    with pytest.raises(DataError, match="was changed"):
        load_task(f"{REPO}@{commit}/k_vrh")
