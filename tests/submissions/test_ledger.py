"""The ledger counts what was submitted, and never forgets."""

import shutil

import pytest
from ecdbench.benchmark.errors import DataError
from ecdbench.leaderboard.board import make_board
from ecdbench.submissions.card import read_card
from ecdbench.submissions.entry import accepted_entries
from ecdbench.submissions.ledger import count_looks, ledger_of, looks_of, read_ledger, record_looks
from ecdbench.submissions.reference import References
from ecdbench.submissions.verify import verify_all, verify_entry

REMEDY = "run `ecdbench verify --record` and commit submissions/ledger.csv"


def test_each_version_is_one_look(tmp_path, honest, cli):
    entry = tmp_path / "submissions" / "entries" / honest.parent.name / "honest"
    shutil.copytree(honest, entry)
    entries, ledger = entry.parent.parent, ledger_of(entry.parent.parent)
    assert cli("verify", entries, "--record", "-q").out.splitlines() == ["1 verified.", f"1 looks added to {ledger}."]
    assert "0 looks added" in cli("verify", entries, "--record", "-q").out
    card = (entry / "card.yaml").read_text()
    (entry / "card.yaml").write_text(card.replace("version: '1.0'", "version: '1.1'").replace('"1.0"', '"1.1"'))
    assert (entry / "card.yaml").read_text() != card
    added = record_looks(ledger, [verify_entry(entry, References())])
    looks = read_ledger(ledger)
    assert [look.version for look in looks] == ["1.0", "1.1"] and added == looks[1:]
    assert count_looks(looks, "ecd-fcc/k_vrh", "official") == (1, 2)
    assert count_looks(looks, "ecd-fcc/k_vrh", "grouped") == (0, 0)
    shutil.copytree(entry, entry.parent / "twin")
    (entry.parent / "twin" / "card.yaml").write_text(card.replace("name: honest", "name: twin"))
    section = next(s for s in make_board([entries]).sections if s.protocol == "fixed")
    assert section.looks == (1, 2)
    assert "The ledger counts 2 looks at this holdout by 1 entries." in section.summary
    assert "Because it was chosen here" not in section.summary  # the two rows are the same


def test_what_was_refused_does_not_count(tmp_path, honest):
    entry = tmp_path / honest.parent.name / "honest"
    shutil.copytree(honest, entry)
    (entry / "fixed-official" / "result.json").write_text("{}")
    assert record_looks(tmp_path / "ledger.csv", [verify_entry(entry, References())]) == []
    assert not (tmp_path / "ledger.csv").exists()


@pytest.mark.parametrize("text", ["", "task,split\n", "task,split,entry,version,predictions\na,b\n"])
def test_a_damaged_ledger_is_not_overwritten(tmp_path, text):
    path = tmp_path / "ledger.csv"
    path.write_text(text)
    with pytest.raises(DataError, match="is not a ledger of looks at holdouts"):
        record_looks(path, [])
    assert path.read_text() == text


def test_the_accepted_entries_are_in_the_ledger():
    """Their tasks, names, versions and, where the data are here, the very predictions."""
    looks = set(read_ledger(ledger_of(accepted_entries())))
    named = {(look.task.replace("/", "--"), look.entry, look.version) for look in looks}
    for run in accepted_entries().glob("*/*/fixed-*"):
        entry = run.parent
        assert (entry.parent.name, entry.name, read_card(entry / "card.yaml").version) in named, REMEDY
    packaged = verify_all([accepted_entries()], References(), lambda task: task == "ecd-fcc/k_vrh")
    found = {look for verified in packaged for look in looks_of(verified)}
    assert len(found) > 10 and found <= looks, REMEDY
