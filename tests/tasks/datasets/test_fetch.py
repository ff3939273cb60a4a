"""Downloads from a real server on this machine that serves the real files as upstream does."""

import functools
import http.server
import shutil
import threading

import pytest
from ecdbench.benchmark.errors import DataError
from ecdbench.tasks.datasets import sfe

fetch_sfe = sfe.FILES.fetch


class Handler(http.server.SimpleHTTPRequestHandler):
    served: list[str]
    broken: set[str]

    def do_GET(self):
        self.served.append(self.path)
        if self.path in self.broken:
            self.send_response(200)
            self.send_header("Content-Length", "1000")
            self.end_headers()
            self.wfile.write(b"half of")
            return
        super().do_GET()

    def log_message(self, *arguments): ...


@pytest.fixture
def upstream(sfe_dir, tmp_path):
    """An upstream folder on localhost: its address, what was asked for, and paths to break."""
    source = sfe.FILES.folder_in(sfe_dir)
    shutil.copytree(source / "images", tmp_path / "CNN" / "CHGCAR_images", copy_function=shutil.copyfile)
    shutil.copyfile(source / sfe.SPREADSHEET, tmp_path / "CNN" / sfe.SPREADSHEET)
    handler = type("Server", (Handler,), {"served": [], "broken": set()})
    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(handler, directory=str(tmp_path / "CNN"))
    )
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/", handler
    server.shutdown()
    thread.join()
    server.server_close()


def test_download_is_complete_checked_and_done_once(upstream, tmp_path):
    address, handler = upstream
    seen = []
    folder = fetch_sfe(tmp_path / "data", lambda done, total: seen.append((done, total)), address)
    assert sfe.StackingFaults().presence(tmp_path / "data") == "present"
    assert len(sfe.StackingFaults().open(tmp_path / "data").read(["id"])["id"]) == 137
    assert seen[-1] == (138, 138)
    assert sorted(p.name for p in folder.iterdir()) == ["SFE_information.xlsx", "images"]
    handler.served.clear()
    fetch_sfe(tmp_path / "data", lambda done, total: None, address)
    assert handler.served == []


def test_an_interrupt_is_continued(upstream, tmp_path):
    address, handler = upstream

    def stop(done, total):
        if done == 20:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch_sfe(tmp_path / "data", stop, address)
    assert len(handler.served) == 20
    fetch_sfe(tmp_path / "data", lambda done, total: None, address)
    assert len(handler.served) == 138


def test_another_file_is_refused_and_not_kept(upstream, tmp_path):
    address, _ = upstream
    file = tmp_path / "CNN" / "CHGCAR_images" / "CHGCAR-3.png"
    file.write_bytes(file.read_bytes() + b"x")
    with pytest.raises(DataError, match=r"CHGCAR-3.png from the source is not the pinned file"):
        fetch_sfe(tmp_path / "data", lambda done, total: None, address)
    assert not (tmp_path / "data" / "sfe" / "images" / "CHGCAR-3.png").exists()


def test_a_broken_connection_is_said_and_continued(upstream, tmp_path):
    address, handler = upstream
    handler.broken.add("/CHGCAR_images/CHGCAR-5.png")
    with pytest.raises(DataError, match=r"CHGCAR-5.png could not be downloaded.*run the same command again"):
        fetch_sfe(tmp_path / "data", lambda done, total: None, address)
    handler.broken.clear()
    fetch_sfe(tmp_path / "data", lambda done, total: None, address)
    assert sfe.StackingFaults().presence(tmp_path / "data") == "present"


def test_no_server(tmp_path):
    with pytest.raises(DataError, match=r"could not be downloaded.*0 of 138 files are here"):
        fetch_sfe(tmp_path / "data", lambda done, total: None, "http://127.0.0.1:9/")
