"""Datasets of strangers on the Hub: which of their files are downloaded, and what the cache may link to."""

import pytest
from ecdbench.benchmark.errors import DataError
from ecdbench.tasks.catalogue import load_task
from ecdbench.tasks.datasets import manifest

from ...servers.hub import Repository
from ..datasets.hostile import EPS, image, write_honest

REPO = "stranger/gems"


@pytest.fixture
def publish(hub, tmp_path):
    """Put a folder and other files into a repository, as a stranger does; returns its reference."""
    made = write_honest(tmp_path / "gems")

    def put(spoil=lambda folder: None, **others):
        spoil(made)
        files = {path.name: path.read_bytes() for path in made.iterdir()} | others
        hub.repositories[REPO] = Repository(private=False)
        return f"{REPO}@{hub.repositories[REPO].commit(files, 'data')}/hardness"

    return put


def downloaded(tmp_path):
    return {path.name for path in (tmp_path / "hf").rglob("snapshots/*/*")}


def test_only_the_files_of_a_dataset_are_downloaded(publish, tmp_path):
    others = ("extra.parquet", "train.parquet.py", "modeling.py", "dataset_infos.json", "gems.py", "eval.yaml")
    task = publish(**dict.fromkeys(others, b"x" * 1000))
    assert load_task(task).labelled(["gem-00"])[0]["image"].size == (16, 16)
    assert downloaded(tmp_path) == set(manifest.FILES)


def test_where_the_manifest_is_none_nothing_else_is_downloaded(publish, tmp_path):
    task = publish(**{"manifest.json": b"{}"})
    with pytest.raises(DataError, match=r"no readable manifest.json"):
        load_task(task)
    assert downloaded(tmp_path) == {"manifest.json"}


@pytest.mark.parametrize("limit", ["LARGEST_OTHER", "LARGEST_SPLIT"])
def test_large_files_are_refused_before_they_are_downloaded(publish, tmp_path, monkeypatch, limit):
    task = publish()
    monkeypatch.setattr(manifest, limit, 100)
    with pytest.raises(DataError, match=r"of stranger/gems has [\d,]+ bytes; at most 100 are read"):
        load_task(task)
    assert downloaded(tmp_path) == set()


def test_what_lies_in_the_cache_is_inspected(publish, tmp_path):
    task = publish(image(EPS))
    with pytest.raises(DataError, match="no PNG or JPEG"):
        load_task(task)


def test_a_link_out_of_the_cache_is_refused(publish, tmp_path):
    task = publish()
    load_task(task)
    (cached,) = (tmp_path / "hf").rglob("snapshots/*/holdout.parquet")
    elsewhere = tmp_path / "elsewhere.parquet"
    elsewhere.write_bytes(cached.read_bytes())
    cached.unlink()
    cached.symlink_to(elsewhere)
    with pytest.raises(DataError, match="is a link out of the folder"):
        load_task(task)
