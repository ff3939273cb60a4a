"""Building mp-fcc with the real client, from a Materials Project server on this machine."""

import csv
import gzip
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from ecdbench.tasks.builder.crystal import FCC_SPACEGROUPS
from ecdbench.tasks.builder.materials_project import MaterialsProject, read_key
from ecdbench.tasks.catalogue import load_task

from ...servers.materials_project import BUCKET, KEY, as_json_gz, density_key


@pytest.fixture
def build(cli, mp, tmp_path):
    """Run the build command."""

    def run(*more, out="built"):
        return cli("build", "mp-fcc", "--out", tmp_path / out, *more)

    return run


@pytest.fixture
def impatient(monkeypatch):
    monkeypatch.setattr(MaterialsProject.__init__, "__defaults__", (2, 0.01))


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def is_alive(pid):
    status = Path(f"/proc/{pid}/status")
    return status.exists() and "(zombie)" not in status.read_text()


def failures(folder):
    return {row["id"]: (row["kind"], row["reason"]) for row in csv.DictReader((folder / "failures.csv").open())}


def test_faults_leave_no_trace(build, mp, tmp_path):
    """A fifth of all requests fail, in five ways; the dataset is the same, byte for byte."""
    assert build("--workers", 2, out="clean").out.splitlines()[-1].startswith("8 rows.")
    mp.rest.share = mp.store.share = 0.2
    assert build("--workers", 2, out="faulty").code == 0
    assert len(mp.rest.injected + mp.store.injected) >= 3
    assert contents(tmp_path / "faulty") == contents(tmp_path / "clean")


def test_the_dataset(build, mp, tmp_path, monkeypatch):
    gone, incomplete, odd, *_ = mp.documents
    del mp.documents[gone]
    mp.documents[incomplete]["bulk_modulus"] = None
    mp.documents[odd]["universal_anisotropy"] = None
    outcome = build("--out", tmp_path / "data" / "mp-fcc")
    assert "7 crystals found, 5 with a value in every column; 5 to build" in outcome.out
    manifest = json.loads((tmp_path / "data" / "mp-fcc" / "manifest.json").read_text())
    missing = manifest["selection"]["missing"]
    assert (missing["k_vrh"], missing["universal_anisotropy"]) == ({"missing": 1, "only": 0}, {"missing": 1, "only": 1})
    assert manifest["source"]["database"] == "2026.10.1"
    monkeypatch.setenv("ECDBENCH_DATA", str(tmp_path / "data"))
    data = load_task("mp-fcc/k_vrh", text="all")
    assert data.options.channel == "spin"
    assert data.task.channels == ("spin", "total")
    one = data.ids[0]
    assert data.targets([one])[0] == mp.documents[one]["bulk_modulus"]["vrh"]
    assert mp.documents[one]["formula_pretty"] in data.rows[one]["text"]
    asked = [entry for entry in mp.rest.log if "/summary/" in entry]
    assert len(asked) == len(FCC_SPACEGROUPS)
    assert all("is_stable=True" in entry for entry in asked)


def test_a_selection_of_crystals(build, mp, tmp_path):
    chosen = sorted(mp.documents)[:3]
    (tmp_path / "ids.txt").write_text("material_id\n" + "\n".join([*chosen, "mp-149"]))
    outcome = build("--ids", tmp_path / "ids.txt", "--limit", 2)
    assert outcome.out.splitlines()[-1].startswith("2 rows.")
    assert "1 of the ids do not exist, the first is mp-149" in outcome.err
    assert "No crystal of the Materials Project matches" in build("--filter", "spacegroup_number=227", out="none").err
    wider = ("--filter", "spacegroup_number=225", "--filter", "is_stable=any", "--limit", 1)
    assert build(*wider, out="other").code == 0
    last = [entry for entry in mp.rest.log if "/summary/" in entry][-1]
    assert "spacegroup_number=225" in last
    assert "is_stable" not in last


def test_the_key_is_nowhere(mp, tmp_path):
    """Neither in the output, tracebacks included, nor in any file."""
    mp.rest.always["/materials/core/"] = 401
    command = [sys.executable, "-m", "ecdbench", "build", "mp-fcc", "--out", str(tmp_path / "built"), "--debug"]
    outcome = subprocess.run(command, capture_output=True, text=True, env=os.environ, check=False)
    assert "KeyRejectedError" in outcome.stderr
    assert any(header.get("HTTP_X_API_KEY") == KEY for header in mp.rest.headers)
    files = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    assert KEY not in outcome.stdout + outcome.stderr
    assert not any(KEY.encode() in content for content in files)


@pytest.mark.parametrize(
    ("key", "sentence"),
    [
        (None, "MP_API_KEY holds no key"),
        ("short", "MP_API_KEY does not hold a Materials Project key: it has 5 characters"),
        ("x" * 32, "does not accept the key (status 401)"),
    ],
)
def test_invalid_keys(build, monkeypatch, key, sentence):
    if key is None:
        monkeypatch.delenv("MP_API_KEY")
    else:
        monkeypatch.setenv("MP_API_KEY", key)
    outcome = build()
    assert outcome.code == 1
    assert sentence in outcome.err
    assert key is None or key not in outcome.err
    assert outcome.err.count("\n") == 1


def test_a_key_from_a_file(build, monkeypatch, tmp_path):
    monkeypatch.delenv("MP_API_KEY")
    assert "cannot be read from" in build("--api-key-file", tmp_path / "none").err
    (tmp_path / "key").write_text(f"{KEY}\n")
    assert read_key(tmp_path / "key").get_secret_value() == KEY


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(("status", "sentence"), [
    (403, "does not accept the key (status 403)"),
    (429, "is busy"),
    (500, "is busy (status 500)"),
    (502, "is busy"),
    (422, "refuses the request (status 422)"),
])  # fmt: skip
def test_a_server_that_refuses(build, mp, status, sentence):
    mp.rest.always["/materials/summary/"] = status
    outcome = build()
    assert outcome.code == 1
    assert sentence in outcome.err or "did not answer" in outcome.err
    assert outcome.err.count("\n") == 1


@pytest.mark.usefixtures("impatient")
def test_a_server_that_is_down(build, monkeypatch):
    """Where the client was imported before, its queries still reach the server, and those of the workers do not."""
    monkeypatch.setenv("MP_API_ENDPOINT", "http://127.0.0.1:9/")
    monkeypatch.setattr("ecdbench.tasks.builder.row_jobs._MAX_CONSECUTIVE_FAILURES", 4)
    outcome = build()
    assert outcome.code == 1
    assert "The Materials Project cannot be reached (ConnectionError)" in outcome.err


def test_failures_of_single_crystals_are_recorded(build, mp, raw_dir, tmp_path):
    one, two, three, four, five, gone, *_ = sorted(mp.documents)
    mp.documents[one]["calc_types"] = {}
    mp.put_density(two, as_json_gz(raw_dir / "densities" / f"{two}.npz")[:2000])
    mp.put_density(three, gzip.compress(b'{"data": {"@module": "no", "@class": "density"}}'))
    mp.put_density(four, as_json_gz(raw_dir / "densities" / f"{four}.npz", spin=False))
    sheared = json.loads(gzip.decompress(as_json_gz(raw_dir / "densities" / f"{five}.npz")))
    sheared["data"]["poscar"]["structure"]["lattice"]["matrix"][0][0] += 1.5
    mp.put_density(five, gzip.compress(json.dumps(sheared).encode()))
    mp.put_density(gone, b"x")
    mp.s3.delete_object(Bucket=BUCKET, Key=density_key(gone))
    outcome = build("--workers", 2)
    assert outcome.code == 0
    found = failures(tmp_path / "built")
    assert {sample_id: kind for sample_id, (kind, _) in found.items()} == {
        one: "no density", gone: "no density", two: "broken density", three: "broken density", five: "not cubic",
    }  # fmt: skip
    assert "no static calculation" in found[one][1]
    spin = load_task(f"{tmp_path / 'built'}/k_vrh", channel="spin").rows
    assert abs(spin[four]["density"]).max() == 0
    assert json.loads((tmp_path / "built" / "manifest.json").read_text())["failures"] == {
        "broken density": 2, "no density": 2, "not cubic": 1,
    }  # fmt: skip


def test_robocrystallographer_failing_is_recorded(build, mp, tmp_path, monkeypatch):
    """Its child process dies at once, as if it were out of memory."""
    seeded = next((tmp_path / "cache" / "descriptions").rglob("*.txt"))
    for text in seeded.parent.parent.rglob("*.txt"):
        text.unlink()
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "robocrys").mkdir()
    (tmp_path / "bin" / "robocrys" / "__init__.py").write_text("raise MemoryError('no room')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "bin"))
    outcome = build("--limit", 2)
    assert outcome.code == 1
    assert "No crystal became a row" in outcome.err
    assert {kind for kind, _ in failures(tmp_path / "built").values()} == {"no text"}


def test_temporary_failures_are_retried_and_permanent_ones_are_not(build, mp, tmp_path):
    one = min(mp.documents)
    mp.documents[one]["calc_types"], kept = {}, mp.documents[one]["calc_types"]
    build()
    mp.documents[one]["calc_types"] = kept
    mp.rest.log.clear()
    assert build().out.splitlines()[-1].startswith("7 rows.")
    assert mp.rest.log == []  # nothing was asked
    assert build("--retry-failed").out.splitlines()[-1].startswith("8 rows.")
    assert not (tmp_path / "built" / "failures.csv").exists()


def test_a_build_killed_in_the_middle_repeats_only_what_was_in_flight(mp, tmp_path):
    out = tmp_path / "built"
    command = [sys.executable, "-m", "ecdbench", "build", "mp-fcc", "--out", str(out), "--workers", "2"]
    process = subprocess.Popen(command, env=os.environ, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    while len(list(out.glob(".work/*/*/*.arrow"))) < 4 and process.poll() is None:
        time.sleep(0.02)
    workers = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert workers
    for _ in range(100):
        if not any(is_alive(pid) for pid in workers):
            break
        time.sleep(0.1)
    else:
        pytest.fail("workers are still alive after their parent")
    assert subprocess.run(command, capture_output=True, env=os.environ, check=False).returncode == 0
    downloads = [entry for entry in mp.store.log if entry.startswith("GET")]
    assert 8 <= len(downloads) <= 8 + 2


def test_a_dask_cluster_that_loses_a_worker(build, mp, tmp_path):
    from distributed import Client, LocalCluster

    assert build("--limit", 5, out="clean").code == 0
    out = tmp_path / "dask"
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):
        command = [sys.executable, "-m", "ecdbench", "build", "mp-fcc", "--out", str(out), "--limit", "5",
                   "--scheduler", cluster.scheduler_address]  # fmt: skip
        process = subprocess.Popen(command, env=os.environ, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL)
        while not list(out.glob(".work/*/*/*.arrow")) and process.poll() is None:
            time.sleep(0.02)
        assert process.poll() is None
        os.kill(min(client.run(os.getpid).values()), signal.SIGKILL)
        assert process.wait() == 0, process.stderr.read()
    assert contents(out) == contents(tmp_path / "clean")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--filter", "bandgap=1"], "There is no filter 'bandgap'. Did you mean band_gap"),
        (["--filter", "band_gap"], "Invalid filter 'band_gap': expected NAME=VALUE"),
        (["--filter", "is_stable=false", "--ids", "x"], "Give --ids or --filter, not both"),
        (["--ids", "nowhere"], "ids cannot be read from nowhere"),
    ],
)
def test_invalid_options_are_reported_in_one_sentence(build, arguments, sentence):
    outcome = build(*arguments)
    assert outcome.code == 1
    assert sentence in outcome.err
    assert outcome.err.count("\n") == 1
