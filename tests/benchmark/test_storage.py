"""Files appear whole, with the mode that the user wants, and leave nothing beside them."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from ecdbench.benchmark.storage import clear_parts, replacing, write_text


@pytest.mark.parametrize(("mask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_the_umask_is_honoured(mask, mode):
    before = os.umask(mask)
    try:
        write_text(Path("file"), "text")
    finally:
        os.umask(before)
    assert (Path("file")).stat().st_mode & 0o777 == mode


def test_a_failed_write_leaves_what_was_there():
    write_text(Path("file"), "old")
    with pytest.raises(ValueError, match="no"), replacing(Path("file")) as part:
        part.write_text("half")
        raise ValueError("no")
    assert [path.name for path in Path().iterdir()] == ["file"] and (Path("file")).read_text() == "old"


def test_what_a_killed_writer_left_is_cleared():
    child = writer(Path("file"))
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    (left,) = Path().iterdir()
    assert left.name.startswith(".file")
    write_text(Path("file"), "new")
    assert [path.name for path in Path().iterdir()] == ["file"] and (Path("file")).read_text() == "new"


def test_a_living_writer_is_not_disturbed():
    child = writer(Path("file"))
    clear_parts(Path())
    assert len(list(Path().iterdir())) == 1
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    clear_parts(Path())
    assert not list(Path().iterdir())


def test_writers_of_one_file_take_turns():
    def write(text):
        for _ in range(30):
            write_text(Path("file"), text * 5000)

    threads = [threading.Thread(target=write, args=(text,)) for text in "abc"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    text = (Path("file")).read_text()
    assert len(text) == 5000 and len(set(text)) == 1 and len(list(Path().iterdir())) == 1


def writer(path: Path) -> subprocess.Popen:
    """A process that is in the middle of writing a file."""
    code = (
        "import pathlib, sys, time\nfrom ecdbench.benchmark.storage import replacing\n"
        "with replacing(pathlib.Path(sys.argv[1])) as part:\n    part.write_text('half')\n    time.sleep(60)\n"
    )
    child = subprocess.Popen([sys.executable, "-c", code, path])
    while not any(part.stat().st_size for part in Path().iterdir()):
        time.sleep(0.01)
    return child
