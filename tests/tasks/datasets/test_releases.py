"""Earlier releases of a packaged dataset."""

from ecdbench import load_task
from ecdbench.leaderboard.board import Filter, make_board
from ecdbench.submissions.entry import accepted_entries
from ecdbench.tasks.datasets import ecd_fcc
from ecdbench.tasks.datasets.folder import DatasetFolder
from ecdbench.tasks.datasets.releases import keep_release, releases_in


def test_a_release_keeps_what_defines_tasks_and_the_hash_of_every_cell(tmp_path):
    present = DatasetFolder(ecd_fcc.PACKAGED, "")
    keep_release(present, present.facts, "2", tmp_path)
    keep_release(present, present.facts, "10", tmp_path)
    assert [one.name for one in releases_in(tmp_path)] == ["10", "2"]
    release = releases_in(tmp_path)[1]
    assert release.facts == present.facts
    kept = release.open(tmp_path)
    for column in present.facts.columns:
        assert kept.digests(column.name) == present.digests(column.name)
    names = ["k_vrh", "split_official", "fold_grouped", "chemical_system"]
    assert kept.read(names) == present.read(names)
    stated = release.manifest(tmp_path)
    assert stated["column_sha256"] == present.manifest["column_sha256"]
    assert stated["targets"]["k_vrh"]["rows"] == present.manifest["targets"]["k_vrh"]["rows"]


def test_a_release_is_named_on_the_command_line_and_on_the_board(cli):
    shown = cli("tasks", "show", "ecd-fcc@1/k_vrh")
    assert shown.code == 0 and "135" in shown.out
    assert load_task("ecd-fcc@1/k_vrh").task.release == "1"
    (fixed, *_) = make_board([accepted_entries() / "ecd-fcc--k_vrh" / "mean"], Filter(task="ecd-fcc/k_vrh")).sections
    assert "release 1" in fixed.title
