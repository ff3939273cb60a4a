import json
import math
from pathlib import Path

import pytest
from ecdbench.benchmark.errors import ModelError
from ecdbench.benchmark.ranges import Range
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

optuna = pytest.importorskip("optuna", reason="needs the extra torch")

# Predicts the mean plus an error that is smallest at shift 3 and count 6; stops where a file says so.
MODEL = """
import pathlib
import numpy as np

class Shifted:
    search = {"shift": "0:10", "count": "4:12:2"}

    def __init__(self, shift=0.0, count=4, broken=False):
        self.error, self.broken = abs(shift - 3) + abs(count - 6), broken

    def fit(self, train, validation, context):
        with open("seen.txt", "a") as file:
            file.write(f"{len(train) + len(validation)}\\n")
        if self.broken:
            raise ValueError("broken")
        with open("fits.txt", "a") as file:
            file.write("x")
        if pathlib.Path("stop").exists() and len(pathlib.Path("fits.txt").read_text()) == 25:
            raise KeyboardInterrupt
        self.mean = np.mean(train["target"])

    def predict(self, data):
        return np.full(len(data), self.mean + 10 * self.error)
"""
TASK = ("--task", "ecd-fcc/k_vrh")


def study_folder(out):
    return next(path for path in out.glob("*/*") if (path / "study.log").is_file())


def test_the_best_is_found_and_drawn(cli, write_model, k_vrh, tmp_path):
    import matplotlib

    model, out, style = write_model(MODEL), tmp_path / "tuning", dict(matplotlib.rcParams)
    found = cli("tune", model, *TASK, "--trials", 12, "--out", out)
    assert found.code == 0, found.err
    assert dict(matplotlib.rcParams) == style  # what is drawn later looks as it always does
    folder = study_folder(out)
    seen = max(map(int, Path("seen.txt").read_text().split()))
    assert seen <= len(k_vrh.splits["train"]) + len(k_vrh.splits["validation"])  # the holdout is not there
    best = json.loads((folder / "best.json").read_text())
    assert abs(best["parameters"]["shift"] - 3) + abs(best["parameters"]["count"] - 6) < 4
    assert best["parameters"]["count"] in (4, 6, 8, 10, 12)
    assert f"--set shift={best['parameters']['shift']}" in found.out
    for name in ("history.png", "importances.png"):
        Image.open(folder / name).verify()
    assert len((folder / "trials.csv").read_text().splitlines()) == 13


def test_a_search_goes_on_where_it_stopped(cli, write_model, tmp_path):
    from pathlib import Path

    model, out = write_model(MODEL), tmp_path / "tuning"
    Path("stop").touch()
    first = cli("tune", model, *TASK, "--trials", 4, "--out", out)
    assert first.code == 130 and "continues from there" in first.err
    Path("stop").unlink()
    second = cli("tune", model, *TASK, "--trials", 4, "--out", out, "--json")
    assert second.code == 0, second.err
    # Two trials of ten folds and four folds of a third were finished; those are not fitted again.
    assert len(Path("fits.txt").read_text()) == 25 + 16
    storage = optuna.storages.JournalStorage(
        optuna.storages.journal.JournalFileBackend(str(study_folder(out) / "study.log"))
    )
    uninterrupted = cli("tune", model, *TASK, "--trials", 4, "--out", tmp_path / "other", "--json")
    assert json.loads(uninterrupted.out)["best"] == json.loads(second.out)["best"]
    trials = optuna.load_study(study_name=None, storage=storage).trials
    assert [trial.state.name for trial in trials] == ["COMPLETE", "COMPLETE", "FAIL", "COMPLETE", "COMPLETE"]
    assert trials[3].params == trials[2].params
    third = cli("tune", model, *TASK, "--trials", 4, "--out", out, "--json")
    assert json.loads(third.out) == json.loads(second.out)
    assert len(Path("fits.txt").read_text()) == 25 + 16


def test_a_resumed_sampler_does_not_repeat_its_draws(cli, write_model, tmp_path):
    model, out = write_model(MODEL), tmp_path / "tuning"
    for trials in (1, 2, 3):
        assert cli("tune", model, *TASK, "--trials", trials, "--out", out, "--search", "shift=0:10").code == 0
    lines = (study_folder(out) / "trials.csv").read_text().splitlines()[1:]
    assert len({line.split(",")[1] for line in lines}) == 3


def test_a_search_that_failed_is_tried_again(cli, write_model, tmp_path):
    from pathlib import Path

    flaky = MODEL.replace("if self.broken:", 'if pathlib.Path("trouble").exists():')
    model, out = write_model(flaky), tmp_path / "tuning"
    Path("trouble").touch()
    first = cli("tune", model, *TASK, "--trials", 2, "--out", out)
    assert first.code == 1 and "All 2 trials failed" in first.err
    Path("trouble").unlink()
    second = cli("tune", model, *TASK, "--trials", 2, "--out", out, "--json")
    assert second.code == 0, second.err


def test_a_search_that_another_process_is_at(cli, write_model, tmp_path):
    from filelock import FileLock

    model, out = write_model(MODEL), tmp_path / "tuning"
    assert cli("tune", model, *TASK, "--trials", 1, "--out", out).code == 0
    with FileLock(study_folder(out) / "study.lock"):
        found = cli("tune", model, *TASK, "--trials", 2, "--out", out)
    assert found.code == 1 and "Another process is running the study" in found.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--search", "shift"), "expected --search NAME=LOW:HIGH"),
        (("--search", "shift=5:1"), "invalid range"),
        (("--search", "width=1:5"), "no parameter 'width'"),
        (("--search", "shift=1:5", "--set", "shift=3"), "both set and searched"),
        (("--set", "broken=true"), "All 2 trials failed; the last one: model failed in fit: ValueError: broken"),
    ],
)
def test_what_cannot_be_searched(cli, write_model, tmp_path, arguments, message):
    found = cli("tune", write_model(MODEL), *TASK, "--trials", 2, "--out", tmp_path, *arguments)
    assert found.code == 1 and message in found.err and "Traceback" not in found.err


def test_a_model_that_offers_nothing(cli, tmp_path):
    found = cli("tune", "mean", *TASK, "--out", tmp_path)
    assert found.code == 1 and "give --search" in found.err


@given(st.text("0123456789.:-elogx", max_size=14))
def test_ranges_are_read_or_refused(text):
    try:
        found = Range.parse("x", text)
    except ModelError:
        return
    assert -math.inf < found.low < found.high < math.inf
    assert not found.log or found.low > 0
    assert found.step is None or (found.step > 0 and not found.log)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1e-4:0.5:log", Range(1e-4, 0.5, None, True)),
        ("4:12:2", Range(4, 12, 2, False)),
        ("-1:1", Range(-1, 1, None, False)),
    ],
)
def test_ranges(text, expected):
    assert Range.parse("x", text) == expected


def test_what_mostly_fails_is_no_candidate(cli, write_model, tmp_path):
    """A failed prediction counts as the training mean, which may be better than an honest one."""
    source = """
import numpy as np
class Shy:
    def __init__(self, courage=1.0):
        self.courage = courage
    def fit(self, train, validation, context):
        self.mean = float(np.mean(train["target"]))
    def predict(self, data):
        return np.full(len(data), self.mean + 50.0 if self.courage > 0.5 else np.nan)
"""
    search = ("--search", "courage=0:1", "--trials", 6, "--out", tmp_path / "tuning", "--json")
    found = cli("tune", write_model(source), "--task", "ecd-fcc/k_vrh", *search)
    assert found.code == 0, found.err
    assert json.loads(found.out)["best"]["courage"] > 0.5


def test_a_torn_log_goes_on(cli, write_model, tmp_path):
    model, out = write_model(MODEL), tmp_path / "tuning"
    assert cli("tune", model, *TASK, "--trials", 2, "--out", out, "-q").code == 0
    log = study_folder(out) / "study.log"
    log.write_bytes(log.read_bytes() + b'{"op_code":6,"worker_id":"a\n' + b'{"op_code":')
    for lock in ("study.log.lock", "study.log.lock3f2a-2c2e.rename"):  # held, and being released
        log.with_name(lock).symlink_to("gone")
    found = cli("tune", model, *TASK, "--trials", 3, "--out", out)
    assert found.code == 0 and "the study's log was incomplete" in found.err
    assert len((log.parent / "trials.csv").read_text().splitlines()) == 4
    assert not list(log.parent.glob("study.log.*"))
