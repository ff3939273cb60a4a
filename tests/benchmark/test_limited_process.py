"""A process of its own takes nobody along."""

import os
import subprocess
import sys
import time

import pytest
from ecdbench.benchmark.limited_process import MOST_MEMORY, LimitedProcess


@pytest.fixture
def call():
    with LimitedProcess() as limited:
        yield limited


def test_what_is_returned_and_raised(call):
    assert call(len, "abc") == 3
    with pytest.raises(ValueError, match="invalid literal for int"):
        call(int, "x")
    assert call(os.getpid) == call(os.getpid) != os.getpid()


def test_a_process_that_dies_hangs_or_fills_takes_nobody_along(call):
    with pytest.raises(ChildProcessError):
        call(os._exit, 30)
    with pytest.raises(TimeoutError):
        call(time.sleep, 30, seconds=1)
    with pytest.raises(MemoryError):
        call(bytes, 2 * MOST_MEMORY)
    assert call(len, "abc") == 3


def test_what_libraries_print_is_no_answer(call, capfd):
    assert call(print, "noise") is None and call(os.system, "echo noise") == 0
    assert "noise" not in "".join(capfd.readouterr())


def test_a_script_without_a_guard_is_not_run_again(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "print('started')\nfrom ecdbench.benchmark.limited_process import LimitedProcess\n"
        "with LimitedProcess() as call:\n    print(call(len, 'abc'))\n"
    )
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True)
    assert done.stdout == "started\n3\n"
