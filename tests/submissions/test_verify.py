import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from ecdbench.submissions.entry import accepted_entries
from ecdbench.submissions.reference import References
from ecdbench.submissions.verify import verify_all, verify_entry

from .corpus import ALLOWED, CANARY, FLAGGED, REFUSED, line, rows, spoil_all


@pytest.fixture(scope="module")
def spoiled(tmp_path_factory, honest):
    return spoil_all(tmp_path_factory.mktemp("spoiled"), honest)


@pytest.fixture(scope="module")
def references():
    return References()


def test_the_corpus_is_large():
    assert len(REFUSED) + len(FLAGGED) + len(ALLOWED) >= 60


def test_an_honest_entry_is_verified(honest, references):
    found = verify_entry(honest, references)
    assert found.verdict == "verified"
    assert [run.folder.name for run in found.runs] == ["cv-official", "fixed-official"]


@pytest.mark.parametrize("name", REFUSED)
def test_hostile_entries_are_refused_in_one_sentence(name, spoiled, references):
    found = verify_entry(spoiled[name], references)
    assert found.verdict == "refused"
    assert REFUSED[name][1] in found.refusal
    assert name in found.refusal  # it names the entry
    assert "\n" not in found.refusal and len(found.refusal) < 700
    assert not list(Path.cwd().rglob(CANARY))


@pytest.mark.parametrize("name", FLAGGED)
def test_suspicious_entries_are_flagged(name, spoiled, references):
    found = verify_entry(spoiled[name], references)
    assert found.verdict == "flagged"
    assert any(FLAGGED[name][1] in sentence for sentence in found.flags)


@pytest.mark.parametrize("name", ALLOWED)
def test_odd_texts_are_texts(name, spoiled, references):
    assert verify_entry(spoiled[name], references).verdict == "verified"


def test_none_hides_another(spoiled, honest, references):
    root = spoiled["nan"].parent.parent
    shutil.copytree(honest, root / "ecd-fcc--k_vrh" / "honest")
    found = {verified.folder.name: verified.verdict for verified in verify_all([root], references)}
    assert found["honest"] == "flagged"  # most of the others have its predictions, which unranks none of them
    assert set(found) >= {*spoiled, "honest"}


@pytest.mark.parametrize("change", [lambda p: p.round(1), lambda p: p + 0.05 * np.sin(np.arange(len(p)))])
def test_a_copy_with_other_last_digits_is_named(tmp_path, honest, references, change):
    for name in ("first", "second"):
        shutil.copytree(honest, tmp_path / "entries" / "ecd-fcc--k_vrh" / name)
        line("name", name)(tmp_path / "entries" / "ecd-fcc--k_vrh" / name)
    rows(lambda frame: frame.assign(prediction=change(frame["prediction"])), claim_again=True)(
        tmp_path / "entries" / "ecd-fcc--k_vrh" / "second"
    )
    first, second = verify_all([tmp_path / "entries"], references)
    assert first.verdict == "verified"
    assert sum("are those of first" in flag for flag in second.flags) == 2  # of both runs


def test_two_entries_of_one_name(tmp_path, honest, references):
    for place in ("a", "b"):
        shutil.copytree(honest.parent, tmp_path / place / honest.parent.name)
    first, second = verify_all([tmp_path / "a", tmp_path / "b"], references)
    assert first.verdict == "verified"
    assert "has the name of" in second.refusal


@pytest.mark.parametrize("stray", ["card.yaml", "knn", "loop"])
def test_strays_beside_entries_hide_none(tmp_path, honest, references, stray):
    root = tmp_path / "entries"
    shutil.copytree(honest.parent, root / honest.parent.name)
    if stray == "card.yaml":
        (root / stray).write_text("name: x")
    elif stray == "loop":
        (root / "sfe").symlink_to("sfe")
    else:
        shutil.copytree(honest, root / honest.parent.name / "HONEST")
        (root / "ecd-fcc--band_gap").mkdir()
        (root / "ecd-fcc--band_gap" / "honest").symlink_to(root / honest.parent.name / "honest")
    found = list(verify_all([root], references))
    assert [v.folder.name for v in found if v.verdict == "verified"] == ["honest"]
    assert len(found) > 1 and all(v.refusal for v in found if v.folder.name != "honest")


def test_the_command_names_what_is_wrong_and_exits(cli, spoiled, honest):
    assert cli("verify", honest).code == 0
    outcome = cli("verify", spoiled["digit-of-prediction"])
    assert outcome.code == 1
    assert "the prediction of mp-" in outcome.err and "split holdout, seed 0" in outcome.err
    outcome = cli("verify", spoiled["targets"], "--json")
    assert outcome.code == 3
    assert json.loads(outcome.out)[0]["verdict"] == "flagged"
    assert cli("verify", honest / "nothing").code == 1


def test_where_no_more_files_can_be_opened(honest):
    code = (
        "import resource, sys; from ecdbench.cli.app import main; import pandas;"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (6, 6)); sys.argv = ['ecdbench', *sys.argv[1:]]; main()"
    )
    done = subprocess.run([sys.executable, "-c", code, "verify", honest], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "could not be verified; allow more (ulimit -n 1024)" in done.stderr, done.stderr


def test_data_that_are_not_here(cli, tmp_path, monkeypatch):
    monkeypatch.setenv("ECDBENCH_DATA", str(tmp_path / "nothing"))
    outcome = cli("verify", accepted_entries() / "sfe")
    assert outcome.code == 3 and "unchecked" in outcome.out and "refused" not in outcome.out
    assert "times): The data of sfe are not here" in outcome.err
    board = cli("leaderboard")
    assert board.code == 0 and "ecd-fcc/k_vrh" in board.out and "The data of sfe are not here" in board.err


def test_the_accepted_entries_are_verified(cli, sfe_dir):
    outcome = cli("verify", "--data-dir", sfe_dir)
    assert outcome.code == 0, outcome.err
    text = "".join(file.read_text() for file in accepted_entries().rglob("*.json"))
    assert "/tmp/" not in text and "/home/" not in text and "http" not in text
