import builtins
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

MEAN = """
import numpy as np
class Mine:
    def fit(self, train, validation, context):
        self.mean = float(np.mean(train["target"]))
    def predict(self, data):
        {body}
"""

COMMANDS = [
    "tasks",
    "models",
    "fetch",
    "build",
    "publish",
    "audit",
    "evaluate",
    "tune",
    "stability",
    "ablate",
    "check",
    "show",
    "compare",
    "leaderboard",
    "submit",
    "verify",
    "card",
]


def python(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)


def test_help_loads_nothing_heavy():
    heavy = ["torch", "datasets", "pandas", "sklearn", "numpy", "scipy", "pyarrow", "pydantic", "requests"]
    result = python(
        "import sys; sys.argv = ['ecdbench', '--help']\n"
        "from ecdbench.cli.app import main\n"
        "try: main()\nexcept SystemExit: pass\n"
        f"print('LOADED', [m for m in {heavy} if m in sys.modules])"
    )
    assert "LOADED []" in result.stdout
    for command in COMMANDS:
        assert f"\n  {command} " in result.stdout


def test_every_command_has_help_with_an_example(cli):
    for command in (*sorted(set(COMMANDS) - {"tasks", "models", "card"}), "tasks show", "card init", "card schema"):
        outcome = cli(*command.split(), "--help")
        assert outcome.code == 0
        assert "Example" in outcome.out


def test_tasks(cli, k_vrh):
    table = cli("tasks")
    assert table.code == 0
    assert "ecd-fcc/k_vrh" in table.out and "packaged" in table.out
    assert " / ".join(str(len(rows)) for rows in k_vrh.splits.values()) in table.out
    facts = {task["task"]: task for task in json.loads(cli("tasks", "--json").out)}
    assert facts["ecd-fcc/k_vrh"]["unit"] == "GPa"
    assert facts["sfe"]["rows"] == {"train": 95, "validation": 21, "holdout": 21}
    shown = cli("tasks", "show", "ecd-fcc/total_magnetization")
    assert "Most values are zero" in shown.out and "CC-BY-4.0" in shown.out
    rows = cli("tasks", "rows", "ecd-fcc/k_vrh").out.splitlines()
    assert sorted(row.partition(",")[0] for row in rows[1:]) == sorted(k_vrh.ids)  # band gaps are known of more
    assert "k_vrh" not in rows[0]


def test_models(cli):
    names = {model["name"]: model for model in json.loads(cli("models", "--json").out)}
    assert names["scratch-cnn"]["extra"] == "torch"
    assert names["mean"]["looks_at"] == "nothing"
    assert "composition-forest" in cli("models").out


def test_evaluate_show_compare_leaderboard(cli, k_vrh):
    shown = cli("evaluate", "mean", "--task", "ecd-fcc/k_vrh")
    assert shown.code == 0
    assert re.search(rf"holdout\s+{len(k_vrh.splits['holdout'])}\s+\d+(\.\d)? \[", shown.out)
    one = cli("evaluate", "mean", "-t", "ecd-fcc/k_vrh", "-q").out.strip()
    two = cli("evaluate", "composition-forest", "-t", "ecd-fcc/k_vrh", "--set", "trees=20", "-q").out.strip()
    result = json.loads(cli("evaluate", "mean", "-t", "ecd-fcc/k_vrh", "--json").out)
    assert json.loads(cli("show", one, "--json").out)["scores"] == result["scores"]
    assert "Largest errors" in cli("show", one).out
    compared = cli("compare", one, two)
    assert "composition-forest (trees=20) is better than mean" in compared.out
    assert "are tied" in cli("compare", one, one).out
    board = cli("leaderboard", "runs", "-f", "markdown").out
    assert board.index("composition-forest") < board.index("| mean")
    assert "worse than 1st" in board
    records = json.loads(cli("leaderboard", "runs", "-f", "json").out)["rows"]
    assert [record["rank"] for record in records] == [1, 2]
    assert cli("leaderboard", "runs", "-f", "csv").out.count("\n") == 3
    beside = json.loads(cli("leaderboard", "-t", "ecd-fcc/k_vrh", "-f", "json").out)[
        "rows"
    ]  # the accepted entries, too
    assert len(beside) > 30 and {"joint-forest", "composition-forest (trees=20)"} <= {row["model"] for row in beside}


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ("evaluate meen -t ecd-fcc/k_vrh", "Did you mean mean"),
        ("evaluate mean -t ecd-fcc/kvrh", "Did you mean ecd-fcc/k_vrh"),
        ("evaluate mean -t ecd-fcc/k_vrh --text keys", "Did you mean key"),
        ("evaluate mean -t ecd-fcc/k_vrh --channel difference", "ecd-fcc has total, spin, deformation"),
        ("evaluate mean -t ecd-fcc/k_vrh --split authors", "ecd-fcc has official, grouped"),
        ("evaluate mean -t ecd-fcc/k_vrh --protocol loo", "Available: cv, fixed"),
        ("evaluate mean -t ecd-fcc/k_vrh --set alpha", "expected --set NAME=VALUE"),
        ("evaluate mean -t sfe --data-dir nowhere", "Run `ecdbench fetch sfe`"),
        ("evaluate mean -t ecd-fcc/k_vrh --out /dev/null/x", "Not a directory"),
        ("show nowhere", "is not a run folder"),
        ("leaderboard nowhere", "There is no folder nowhere"),
        ("leaderboard . ", "There are no runs"),
        ("leaderboard . -f pdf", "There is no format 'pdf'"),
        ("fetch mp-fcc", "Only mp-fcc-authors, mp-fcc-authors-text, sfe can be downloaded"),
        ("build mp-fcc --source x --out y", "mp-fcc is not built from a folder"),
        ("build other --out y", "There is no dataset 'other' to build"),
        ("build ecd-fcc --out y", "give them with --source"),
        ("build ecd-fcc --source x --limit 3 --out y", "--limit is not for ecd-fcc"),
        ("build ecd-fcc --source nowhere --out y", "holds no folder densities"),
        ("tasks show sf", "Did you mean sfe"),
    ],
)
def test_bad_input_gets_one_sentence(cli, arguments, sentence):
    outcome = cli(*arguments.split())
    assert outcome.code == 1
    assert sentence in outcome.err
    assert outcome.err.startswith("Error: ") and outcome.err.count("\n") == 1
    assert "Traceback" not in outcome.err


def test_debug_shows_the_traceback_wherever_it_stands():
    for arguments in (["--debug", "show", "nowhere"], ["show", "nowhere", "--debug"]):
        result = subprocess.run(
            [sys.executable, "-m", "ecdbench", *arguments], capture_output=True, text=True, check=False
        )
        assert result.returncode == 1
        assert "Traceback" in result.stderr and "read_run" in result.stderr


def test_failed_predictions_end_with_3_and_keep_the_run(cli, write_model, k_vrh):
    path = write_model(MEAN.format(body="return np.r_[np.nan, np.full(len(data) - 1, self.mean)]"))
    outcome = cli("evaluate", path, "-t", "ecd-fcc/k_vrh")
    assert outcome.code == 3
    assert f"1 of {len(k_vrh.splits['holdout'])} predictions are not finite" in outcome.err
    assert "99%" in outcome.out
    assert cli("leaderboard").code == 0


def test_check(cli, write_model):
    good = write_model(MEAN.format(body="return np.full(len(data), self.mean)"))
    assert cli("check", good).code == 0
    bad = write_model(MEAN.format(body="return np.zeros(3)"), "bad.py")
    outcome = cli("check", bad)
    assert outcome.code == 1
    assert "must return shape" in outcome.out


def test_a_missing_extra_names_the_command(cli, monkeypatch):
    real = builtins.__import__

    def without_torch(name, scope=None, *rest, **keywords):
        if name == "torch" and (scope or {}).get("__name__", "").startswith("ecdbench"):
            raise ModuleNotFoundError("No module named 'torch'")
        return real(name, scope, *rest, **keywords)

    monkeypatch.setattr(builtins, "__import__", without_torch)
    outcome = cli("evaluate", "scratch-cnn", "-t", "ecd-fcc/k_vrh", "--set", "max_epochs=1", "--in-process")
    assert outcome.code == 1
    assert outcome.err == "Error: This model needs the extra `torch`: pip install 'ecdbench[torch]'.\n"


def test_settings_are_read_as_values():
    from ecdbench.cli.options import parse_settings

    texts = ["a=1", "b=7e-4", "c=true", "d=False", "e=bfloat16", "f=[1, 2]", "g=x=y", "h=None"]
    assert parse_settings(texts) == {
        "a": 1, "b": 7e-4, "c": True, "d": False, "e": "bfloat16", "f": [1, 2], "g": "x=y", "h": None,
    }  # fmt: skip


def test_certificates_that_are_not_there_are_named(cli, monkeypatch):
    pytest.importorskip("openai")
    monkeypatch.setenv("SSL_CERT_FILE", "/gone.pem")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-not-a-key-of-anybody")
    said = cli(
        "evaluate", "in-context", "--task", "ecd-fcc/k_vrh", "--text", "single", "--set", "model=m", "--limit", 1
    )
    assert said.code == 1
    assert said.err.splitlines()[-1].startswith("Error: SSL_CERT_FILE names /gone.pem, which is not there")


@pytest.mark.skipif(sys.platform != "linux", reason="needs user namespaces")
def test_a_user_without_a_home(tmp_path):
    """What a container with an unknown user gives."""
    alone = ["unshare", "-U", "--map-user=12345", "env", "-i", f"PATH={os.environ['PATH']}"]
    if subprocess.run([*alone, "true"], capture_output=True, check=False).returncode:
        pytest.skip("users may not make namespaces here")
    command = [str(Path(sys.executable).with_name("ecdbench")), "tasks"]
    found = subprocess.run([*alone, "ECDBENCH_CACHE=cache", *command], capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stderr
    refused = subprocess.run([*alone, *command], capture_output=True, text=True, check=False)
    assert refused.returncode == 1 and "set ECDBENCH_CACHE" in refused.stderr
