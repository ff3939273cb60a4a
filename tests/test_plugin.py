"""A package of a stranger extends every registry; all commands work on what it adds."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

PLUGIN = Path(__file__).parent / "plugin"
# Runs command lines in one process, as the entry point does.
DRIVER = """
import contextlib, io, json, sys
from ecdbench.cli.app import main
done = []
for arguments in json.loads(sys.argv[1]):
    sys.argv = ["ecdbench", *arguments]
    out, err, code = io.StringIO(), io.StringIO(), 0
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main()
        except SystemExit as stop:
            code = stop.code or 0
    done.append([code, out.getvalue(), err.getvalue()])
print(json.dumps(done))
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A folder of installed packages that holds the plugin."""
    folder = tmp_path_factory.mktemp("site")
    copy = tmp_path_factory.mktemp("source") / "plugin"
    copy.mkdir()
    for file in PLUGIN.iterdir():
        if file.is_file():
            (copy / file.name).write_bytes(file.read_bytes())
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*install, "--target", str(folder), str(copy)], check=True, capture_output=True, text=True)
    return folder


@pytest.fixture
def run(site, tmp_path):
    """Run command lines where the plugin is installed."""

    def commands(*lines):
        environment = os.environ | {"PYTHONPATH": str(site), "ECDBENCH_CACHE": str(tmp_path / "cache")}
        arguments = [sys.executable, "-c", DRIVER, json.dumps([[str(word) for word in line] for line in lines])]
        done = subprocess.run(arguments, env=environment, capture_output=True, text=True, cwd=tmp_path, check=False)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout.splitlines()[-1])

    return commands


def test_the_plugin_is_small():
    lines = [line for file in PLUGIN.iterdir() if file.is_file() for line in file.read_text().splitlines()]
    assert len(lines) <= 200


def test_a_stranger_extends_everything(run, tmp_path):
    wide, width = ("--task", "blobs/is_wide"), ("--task", "blobs/width")
    found = run(
        ["tasks", "--json"],
        ["tasks", "show", "blobs/is_wide"],
        ["check", "profile-ridge", *width],
        ["evaluate", "profile-ridge", *width, "--protocol", "halving", "--json"],
        ["evaluate", "mean", *width, "--protocol", "halving"],
        ["evaluate", "profile-ridge", *wide, "--json"],
        ["evaluate", "profile-ridge", *width, "--protocol", "cv", "--quiet"],
        ["evaluate", "mean", *wide],
        ["ablate", "profile-ridge", *width, "--json", "--out", "ablated"],
        ["evaluate", "sklearn.linear_model:Ridge", *width, "--set", "features=blob", "--quiet", "--out", "other"],
        *(["leaderboard", "runs", "-f", form] for form in ("terminal", "markdown", "csv", "json", "html")),
    )
    for code, _, err in found:
        assert code == 0, err
    tasks, shown, checked, halved, mean, binary, *_ = (out for _, out, _ in found)
    rows = {task["task"]: task for task in json.loads(tasks)}
    assert rows["blobs/width"]["inputs"] == ["blob"] and rows["blobs/is_wide"]["main_metric"] == "log_loss"
    assert "blob" in shown and "failed" not in checked
    scores = json.loads(halved)["scores"]
    assert list(scores) == ["holdout@0.5", "holdout"]
    assert scores["holdout"]["metrics"]["max_error"]["low"] is not None
    assert json.loads(halved)["columns"].keys() == {"id", "width", "split_official", "group", "blob"}
    assert "max error" in mean and "holdout@0.5" in mean
    assert json.loads(binary)["scores"]["holdout"]["metrics"]["roc_auc"]["value"] > 0.9
    probes = {probe["probe"]: probe for probe in json.loads(found[8][1])["probes"]}
    assert set(probes) == {"blob of another row", "blank blob"}
    assert all("blob used" in probe["reading"] for probe in probes.values())
    terminal, markdown, csv, as_json, _ = (out for _, out, _ in found[10:])
    for text in (terminal, markdown):
        assert "max error" in text and "3-D density" in text and "log loss" in text
    board = json.loads(as_json)["rows"]
    assert {row["protocol"] for row in board} == {"fixed", "cv", "halving"}
    assert all(row["max_error"] > 0 for row in board) and "max_error" in csv.splitlines()[0]
    page = (tmp_path / "leaderboard.html").read_text()
    assert "max error" in page and "blobs/is_wide" in page and "3-D density" in page

    runs = {name: sorted((tmp_path / "runs" / name).iterdir()) for name in ("blobs--width", "blobs--is_wide")}
    card = run(["card", "init", "card.yaml"])[0]
    assert card[0] == 0
    text = (tmp_path / "card.yaml").read_text()
    for before, after in (("Your Name", "A. Stranger"), ("[image]", "[blob]"), ("What a reader should know.", "x")):
        text = text.replace(before, after)
    (tmp_path / "card.yaml").write_text(text)
    mine = [one for folders in runs.values() for one in folders if one.name.startswith("profile-ridge")]
    halving = {one.name.split("-")[0]: one for one in runs["blobs--width"] if "-halving-" in one.name}
    found = run(
        ["submit", *mine, "--card", "card.yaml", "--out", "entries"],
        ["verify", "entries"],
        ["compare", halving["profile"], halving["mean"], "--out", "comparison"],
        ["leaderboard", "entries", "-f", "json"],
    )
    for code, _, err in found:
        assert code == 0, err
    assert "2 verified" in found[1][1]
    assert "profile-ridge is better than mean" in found[2][1] and "max error" in found[2][1]
    assert {row["protocol"] for row in json.loads(found[3][1])["rows"]} == {"fixed", "cv", "halving"}

    spoiled = tmp_path / "entries" / "blobs--width" / "my-model" / "halving-official" / "result.json"
    record = json.loads(spoiled.read_text())
    record["scores"]["holdout"]["metrics"]["max_error"]["value"] *= 1.01
    spoiled.write_text(json.dumps(record))
    ((code, _, err),) = run(["verify", "entries"])
    assert code == 1 and "holdout max_error is" in err


def test_a_registered_metric_refuses_no_entry(run):
    from ecdbench.submissions.entry import accepted_entries

    folder = accepted_entries() / "ecd-fcc--k_vrh"
    found = run(["verify", *(folder / name for name in ("mean", "knn-composition", "pixel-ridge")), "--json"])
    code, out, err = found[0]
    assert code == 0, err
    assert [record["verdict"] for record in json.loads(out)] == ["verified"] * 3
