"""What is finished is kept: caching, failures, interrupts, a full disk."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import pandas as pd
import pytest
from ecdbench import evaluate, load_task, read_run
from ecdbench.benchmark.errors import ModelError
from ecdbench.benchmark.protocols.standard import FixedSplit

COUNTING = """
import os, time
from pathlib import Path
LOG = Path(os.environ["FIT_LOG"])
class Counting:
    def __init__(self, fail_at=None, pause=0.0):
        self.fail_at, self.pause = fail_at, pause
    def fit(self, train, validation, context):
        with LOG.open("a") as log:
            log.write(f"{context.seed}\\n")
        time.sleep(self.pause)
        if self.fail_at is not None and len(LOG.read_text().split()) == self.fail_at:
            raise RuntimeError("the reactor is on fire")
        self.mean = sum(train["target"]) / len(train)
    def predict(self, data):
        return [self.mean] * len(data)
"""


@pytest.fixture
def counting(write_model, tmp_path, monkeypatch):
    """A model that writes a line per fit, and a function that counts the lines."""
    log = tmp_path / "fits.log"
    monkeypatch.setenv("FIT_LOG", str(log))
    path = write_model(COUNTING)
    return str(path), lambda: len(log.read_text().split()) if log.exists() else 0


@pytest.mark.parametrize("damage", [lambda text: text[:-9], lambda text: text.replace("0", "1"), lambda text: ""])
def test_a_damaged_fit_is_run_again(counting, k_vrh, tmp_path, damage):
    model, fits = counting
    run = evaluate(model, k_vrh)
    (file,) = (tmp_path / "cache").rglob("fit.json")
    file.write_text(damage(file.read_text()))
    again = evaluate(model, k_vrh)
    assert again.result.scores == run.result.scores
    assert "had been changed" in again.result.notes[0]
    assert fits() == 2


def test_a_data_file_beside_a_model_is_part_of_its_fits(write_model, k_vrh, tmp_path):
    (tmp_path / "offset.txt").write_text("1")
    source = """
from pathlib import Path
class Model:
    inputs = ()
    def fit(self, train, validation, context):
        self.value = float((Path(__file__).parent / "offset.txt").read_text())
        (context.work_dir / "log").write_text("")
    def predict(self, data):
        return [self.value] * len(data)
"""
    model = str(write_model(source))
    found = []
    for text in ("1", "1", "2"):
        (tmp_path / "offset.txt").write_text(text)
        run = evaluate(model, k_vrh)
        found.append((run.predictions()["prediction"].iloc[0], run.result.fits[0].seconds_fit))
    assert [value for value, _ in found] == [1.0, 1.0, 2.0]


def test_a_finished_fit_is_never_run_twice(counting, k_vrh):
    model, fits = counting
    one = evaluate(model, k_vrh, seeds=2)
    assert fits() == 2
    two = evaluate(model, k_vrh, seeds=3)
    assert fits() == 3
    again = evaluate(model, k_vrh, seeds=2)
    assert fits() == 3
    assert again.folder == one.folder != two.folder
    assert again.result.scores == one.result.scores
    evaluate(model, k_vrh, seeds=2, fresh=True)
    assert fits() == 5


def test_what_changes_a_prediction_changes_the_cache(counting, write_model, k_vrh):
    model, fits = counting
    evaluate(model, k_vrh)
    evaluate(model, k_vrh, parameters={"pause": 0.001})
    evaluate(model, load_task("ecd-fcc/k_vrh", text="single"))
    evaluate(model, load_task("ecd-fcc/k_vrh", channel="spin"))
    evaluate(model, load_task("ecd-fcc/k_vrh", split="grouped"))
    evaluate(model, load_task("ecd-fcc/band_gap"))
    assert fits() == 6
    write_model(COUNTING + "\n# another version\n")
    evaluate(model, k_vrh)
    assert fits() == 7


def test_a_protocol_that_learns_from_other_rows_uses_no_finished_fit(counting, k_vrh, monkeypatch):
    model, fits = counting
    one = evaluate(model, k_vrh)
    plain = FixedSplit.fits

    def fewer(self, data):
        (fit,) = plain(self, data)
        return [replace(fit, train=fit.train[:40])]

    monkeypatch.setattr(FixedSplit, "fits", fewer)
    two = evaluate(model, k_vrh)
    assert fits() == 2
    assert two.result.fits[0].n_train == 40 and two.result.scores != one.result.scores


def test_a_failure_in_one_fold_keeps_the_others(counting, k_vrh):
    model, fits = counting
    with pytest.raises(ModelError, match="the reactor is on fire"):
        evaluate(model, k_vrh, protocol="cv", parameters={"fail_at": 4})
    assert fits() == 4
    evaluate(model, k_vrh, protocol="cv", parameters={"fail_at": 4})
    assert fits() == 4 + 7  # the three finished folds are not run again


def test_kill_at_any_moment_then_resume(counting, k_vrh, tmp_path):
    model, fits = counting
    command = [
        sys.executable, "-m", "ecdbench", "evaluate", model, "--task", "ecd-fcc/k_vrh", "--protocol", "cv",
        "--set", "pause=0.6", "--out", str(tmp_path / "runs"), "--quiet",
    ]  # fmt: skip
    interrupted = 0
    for wait in (1, 3):
        process = subprocess.Popen(command, env=os.environ)
        while fits() < interrupted + wait and process.poll() is None:
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
        process.wait()
        interrupted = fits()
        assert not list(tmp_path.glob("runs/**/result.json"))
    done = subprocess.run(command, env=os.environ, capture_output=True, text=True, check=True)
    assert fits() <= 10 + 2  # at most the two parts in flight were repeated
    run = read_run(type(tmp_path)(done.stdout.strip()))
    undisturbed = evaluate(model, k_vrh, protocol="cv", parameters={"pause": 0.3}, cache=tmp_path / "other")
    pd.testing.assert_frame_equal(run.predictions(), undisturbed.predictions())
    assert run.result.scores == undisturbed.result.scores


def test_ctrl_c_says_that_nothing_is_lost(counting, tmp_path):
    model, fits = counting
    heed = (  # a shell that starts the tests in the background has its processes ignore Ctrl-C
        "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler);"
        "from ecdbench.cli.app import main; sys.argv = ['ecdbench', *sys.argv[1:]]; main()"
    )
    command = [
        sys.executable, "-c", heed, "evaluate", model, "--task", "ecd-fcc/k_vrh", "--protocol", "cv",
        "--set", "pause=0.6", "--out", str(tmp_path / "runs"), "--quiet",
    ]  # fmt: skip
    process = subprocess.Popen(command, env=os.environ, stderr=subprocess.PIPE, text=True)
    while fits() < 3 and process.poll() is None:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate()
    assert process.returncode == 130, said
    assert said == "Interrupted. What was finished is kept: the same command continues from there.\n"
    before = fits()
    subprocess.run(command, env=os.environ, capture_output=True, check=True)
    assert fits() - before <= 10 - 2


def test_the_same_command_twice_at_once_shares_the_work(counting, tmp_path):
    model, fits = counting
    command = [
        sys.executable, "-m", "ecdbench", "evaluate", model, "--task", "ecd-fcc/k_vrh", "--protocol", "cv",
        "--set", "pause=0.2", "--out", str(tmp_path / "runs"), "--quiet",
    ]  # fmt: skip
    both = [subprocess.Popen(command, env=os.environ, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    folders = {process.communicate()[0].strip() for process in both}
    assert [process.returncode for process in both] == [0, 0]
    assert fits() == 10
    assert len(folders) == 1


def test_a_suspended_process_is_waited_for_with_a_word(counting, tmp_path):
    model, fits = counting
    command = [
        sys.executable, "-m", "ecdbench", "evaluate", model, "--task", "ecd-fcc/k_vrh", "--set", "pause=0.6",
        "--out", str(tmp_path / "runs"), "--quiet",
    ]  # fmt: skip
    first = subprocess.Popen(command, env=os.environ)
    while not fits() and first.poll() is None:
        time.sleep(0.02)
    first.send_signal(signal.SIGSTOP)
    said = tmp_path / "said"
    second = subprocess.Popen(command, env=os.environ, stderr=said.open("w"))
    deadline = time.monotonic() + 120
    while "if it is suspended, resume it or end it" not in said.read_text() and time.monotonic() < deadline:
        time.sleep(0.1)
    first.send_signal(signal.SIGCONT)
    second.wait()
    assert "if it is suspended, resume it or end it" in said.read_text()
    assert (first.wait(), second.returncode, fits()) == (0, 0, 1)


def test_a_full_disk_loses_nothing(counting, k_vrh, tmp_path):
    model, fits = counting
    out = tmp_path / "runs"
    finished = evaluate(model, k_vrh, out=out)
    before = (finished.folder / "result.json").read_bytes()
    code = (
        "import resource, sys; from ecdbench.cli.app import main;"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000)); sys.argv = ['ecdbench', *sys.argv[1:]]; main()"
    )
    command = [sys.executable, "-c", code, "evaluate", model, "--task", "ecd-fcc/k_vrh", "--out", str(out)]
    result = subprocess.run(command, capture_output=True, text=True, env=os.environ, check=False)
    assert result.returncode == 1
    assert result.stderr.startswith("Error: File too large")
    assert "Traceback" not in result.stderr
    assert (finished.folder / "result.json").read_bytes() == before
    assert not list(out.rglob(".*"))
    assert fits() == 1
