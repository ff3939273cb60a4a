"""Several processes at one run: they share its fits."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from ecdbench.benchmark.environment import local_device
from ecdbench.benchmark.results import find_runs, read_run

MODEL = """
import os, time
import numpy as np

class Slow:
    def fit(self, train, validation, context):
        with open(os.environ["FITS"], "a") as file:
            file.write(f"{os.getppid()}\\n")  # the server of which each fit is a fork
        time.sleep(0.5)
        self.mean = np.mean(train["target"])

    def predict(self, data):
        return np.full(len(data), self.mean)
"""
ARGUMENTS = ("--task", "ecd-fcc/k_vrh", "--protocol", "cv", "--quiet")


@pytest.fixture
def fits(tmp_path, monkeypatch):
    file = tmp_path / "fits"
    monkeypatch.setenv("FITS", str(file))
    return lambda: file.read_text().split()


def test_two_processes_run_each_fit_once(write_model, fits):
    command = [sys.executable, "-m", "ecdbench", "evaluate", str(write_model(MODEL)), *ARGUMENTS]
    processes = [subprocess.Popen(command) for _ in range(2)]
    assert [process.wait(120) for process in processes] == [0, 0]
    assert len(fits()) == 10
    assert len(set(fits())) == 2
    runs = find_runs([Path("runs")])
    assert len(runs) == 1 and len(read_run(runs[0]).result.fits) == 10


def test_accelerate_launch_shares_the_fits_and_reports_once(write_model, fits):
    pytest.importorskip("accelerate", reason="needs the extra torch")
    launcher = [sys.executable, "-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes", "2"]
    launcher += ["--num_machines", "1", "--mixed_precision", "no", "--dynamo_backend", "no", "-m", "ecdbench"]
    command = [*launcher, "evaluate", str(write_model(MODEL)), *ARGUMENTS]
    found = subprocess.run(
        command, check=False, capture_output=True, text=True, timeout=180, env=os.environ | {"OMP_NUM_THREADS": "1"}
    )
    assert found.returncode == 0, found.stderr
    assert len(fits()) == 10 and len(set(fits())) == 2
    assert found.stdout.count("runs/ecd-fcc--k_vrh") == 1


def test_each_process_has_its_own_gpu(monkeypatch):
    monkeypatch.delenv("LOCAL_RANK", raising=False)
    assert local_device("cuda") == "cuda"
    monkeypatch.setenv("LOCAL_RANK", "1")
    assert (local_device("cuda"), local_device("cuda:0"), local_device("cpu")) == ("cuda:1", "cuda:0", "cpu")
