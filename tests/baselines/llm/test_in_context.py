"""The predictor, from the command line, against a test endpoint."""

import importlib.util
import json
import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from ecdbench import evaluate, load_task
from ecdbench.baselines.llm.usage import Budget, Service
from PIL import Image

from ...servers.llm import completion, value_of
from .conftest import KEY


def _run(outcome):
    return Path(outcome.out.split("Run folder: ")[1].strip())


def _predictions(outcome):
    return pd.read_parquet(_run(outcome) / "predictions.parquet").set_index("id")


def test_a_run_stands_beside_the_baselines(serve, ask, cli):
    server = serve()
    outcome = ask(server.url)
    assert outcome.code == 0 and server.sent == 32
    assert "tokens 3,200 in, 320 out" in outcome.out and "cost unknown" in outcome.out and "made-up-0001" in outcome.out
    result = json.loads((_run(outcome) / "result.json").read_text())
    assert result["model"]["inputs"] == ["id", "image", "text"]
    assert len(result["model"]["info"]["prompt_sha256"]) == 64
    usage = result["fits"][0]["usage"]
    assert usage["answers"] == usage["sent"] == 32 and usage["statuses"] == {"ok": 32}
    found = _predictions(outcome)["prediction"]
    assert sorted(found) == sorted(value_of(body) for body in server.bodies)
    for model in ("mean", "composition-forest"):
        assert cli("evaluate", model, "--task", "ecd-fcc/k_vrh", "-q").code == 0
    board = cli("leaderboard").out
    assert (
        "composition-forest" in board and "3,200 + 320" in board and "in-context + text single (model=made-up)" in board
    )
    compared = cli("compare", _run(outcome), *Path("runs").rglob("mean-*")).out
    assert "is better than" in compared or "cannot be told apart" in compared


def test_the_prompt(serve, ask, k_vrh):
    server = serve()
    ask(server.url, "--set", "shots=2", "--limit", "1")
    (body,) = server.bodies
    system, *examples, query = body["messages"]
    train = dict(zip(k_vrh.splits["train"], k_vrh.targets(k_vrh.splits["train"]), strict=True))
    assert "bulk modulus" in system["content"] and "GPa" in system["content"]
    assert f"{min(train.values()):.6g} to {max(train.values()):.6g}" in system["content"]
    assert [m["role"] for m in examples] == ["user", "assistant"] * 2 and query["role"] == "user"
    for message in examples[1::2]:
        assert min(abs(json.loads(message["content"])["value"] - v) for v in train.values()) < 1e-3
    first = k_vrh.rows[k_vrh.splits["holdout"][0]]
    text, image = query["content"]
    assert f"Description: {first['formula']}\n" in text["text"]
    assert image["image_url"]["url"].startswith("data:image/png;base64,")
    assert body["temperature"] == 0 and body["response_format"]["json_schema"]["strict"]


def test_no_target_of_validation_or_holdout_is_sent(serve, ask):
    server = serve()
    ask(server.url, "--set", "shots=100", "--set", "image=false")
    data = load_task("ecd-fcc/k_vrh")
    known = {f"{v:.6g}" for v in data.targets(data.splits["train"])}
    for body in server.bodies:
        said = {f"{json.loads(m['content'])['value']:.6g}" for m in body["messages"] if m["role"] == "assistant"}
        assert said <= known and len(body["messages"]) == 202
        assert all(isinstance(m["content"], str) for m in body["messages"])


def test_examples_do_not_depend_on_limit_or_concurrency(serve, ask):
    one, two = serve(), serve()
    ask(one.url, "--concurrency", "1", "--limit", "5")
    ask(two.url, "--concurrency", "16")
    asked = [json.dumps(body) for body in two.bodies]
    assert all(json.dumps(body) in asked for body in one.bodies)


def test_answers_are_paid_once(serve, ask):
    server = serve()
    first = ask(server.url)
    again = ask(server.url, "--fresh")
    more = ask(server.url, "--set", "max_tokens=2000", "--limit", "3")
    assert server.sent == 32 + 3
    assert " 0 requests sent" in again.out and more.code == 3
    pd.testing.assert_frame_equal(_predictions(first), _predictions(again))


def test_each_answer_is_read_once(serve, ask, monkeypatch):
    from ecdbench.baselines.llm import batch, client, store

    readings = []

    def count(response, read=client.read_completion):
        readings.append(response)
        return read(response)

    for module in (batch, client, store):
        monkeypatch.setattr(module, "read_completion", count)
    server = serve()
    for command in ((), ("--fresh",)):  # from the endpoint, then from the store
        readings.clear()
        assert ask(server.url, *command).code == 0
        assert len(readings) == 32


def test_the_store_can_be_elsewhere(serve, tmp_path):
    server = serve()
    service = Service(store=tmp_path / "mine" / "answers", budget=Budget(max_requests=1))
    parameters = {"model": "made-up", "base_url": server.url, "image": False}
    evaluate("in-context", "ecd-fcc/k_vrh", text="single", parameters=parameters, service=service, limit=1)
    assert service.store.is_file() and not list(tmp_path.rglob("answers.sqlite"))
    assert service.budget.requests == 1


def test_a_run_with_an_unreadable_usage_record_is_left_out_of_the_board(serve, ask, cli):
    file = shutil.move(_run(ask(serve().url)), Path("runs", "theirs")) / "result.json"
    result = json.loads(file.read_text())
    result["fits"][0]["usage"]["answers"] = -1
    file.write_text(json.dumps(result))
    cli("evaluate", "mean", "--task", "ecd-fcc/k_vrh", "-q")
    board = cli("leaderboard", "runs")
    assert (
        board.code == 0 and "mean" in board.out and "The usage record is not a result of a run (answers:" in board.err
    )


def test_answers_that_are_kept_need_no_key_and_no_endpoint(serve, ask, monkeypatch):
    server = serve()
    ask(server.url)
    monkeypatch.delenv("OPENAI_API_KEY")
    server.reply = lambda body: (500, {})
    assert ask(server.url, "--fresh").code == 0


def test_equal_questions_are_asked_once(serve, ask):
    server = serve(latency=0.1)
    outcome = ask(server.url, "--set", "image=false", "--set", "shots=0", task="ecd-fcc/band_gap")
    assert outcome.code == 0
    data = load_task("ecd-fcc/band_gap", text="single")
    texts = {data.rows[m]["text"] for m in data.splits["holdout"]}
    assert server.sent == len(texts)


def test_each_status_is_counted(serve, ask):
    odd = {
        "Ir": (200, completion({"model": "m"}, None, refusal="no")),
        "Ne": (200, completion({"model": "m"}, "", finish="content_filter")),
        "Li2S": "no idea",
        "K2S": (400, {"error": {"message": "flagged by our content policy", "code": "content_filter"}}),
    }

    def reply(body):
        text = body["messages"][-1]["content"][0]["text"].partition("\n")[0].removeprefix("Description: ")
        return odd.get(text)

    server = serve(reply=reply)
    data = load_task("ecd-fcc/k_vrh", text="single")
    expected = [data.rows[m]["text"] for m in data.splits["holdout"] if data.rows[m]["text"] in odd]
    outcome = ask(server.url, "--concurrency", "1")
    found = _predictions(outcome)
    assert outcome.code == 3 and "failed" not in set(found["status"])
    assert (found["status"] != "ok").sum() == len(expected)
    assert set(found["status"]) <= {"ok", "refused", "filtered", "unparsed"}
    assert np.isnan(found.loc[found["status"] != "ok", "prediction"]).all()
    assert f"{len(expected)} of 32 predictions are missing" in outcome.err
    lines = [json.loads(line) for line in next(_run(outcome).rglob("replies.jsonl")).read_text().splitlines()]
    assert len(lines) == 32 and {line["status"] for line in lines} == set(found["status"])


def test_strict_and_flexible_side_by_side(serve, ask):
    server = serve(reply=lambda body: f"About {value_of(body)} GPa." if body["seed"] % 2 == 0 else None)
    outcome = ask(server.url, "--seeds", "2")
    result = json.loads((_run(outcome) / "result.json").read_text())
    assert result["scores"]["holdout"]["coverage"] == 1
    stages = result["stages"]
    assert stages["strict parser"]["holdout"]["coverage"] == 0
    assert stages["flexible parser"]["holdout"]["metrics"] == result["scores"]["holdout"]["metrics"]


def test_the_target_may_be_named_and_a_year_in_a_refusal_is_no_answer(serve, ask):
    replies = iter(
        ['{"bulk_modulus": 165}', "I'm sorry, I cannot tell. My knowledge ends in October 2023.", "Shear: 80 GPa"]
    )
    outcome = ask(serve(reply=lambda body: next(replies)).url, "--limit", "3", "--concurrency", "1")
    found = _predictions(outcome)
    found = found[found["status"] != "not asked"]
    assert sorted(found["status"]) == ["ok", "refused", "unparsed"]
    assert found.loc[found["status"] == "ok", "prediction"].item() == 165
    assert np.isnan(found.loc[found["status"] != "ok", "prediction"]).all()


def test_samples_give_median_and_spread(serve, ask):
    server = serve()
    outcome = ask(server.url, "--set", "samples=3", "--set", "temperature=0.7", "--limit", "4")
    found = _predictions(outcome)
    asked = found[found["status"] == "ok"]
    assert server.sent == 12 and len(asked) == 4 and (found["status"] == "not asked").sum() == 28
    triples = [value_of(body) for body in server.bodies]
    for prediction, deviation in zip(asked["prediction"], asked["prediction_std"], strict=True):
        assert any(prediction == pytest.approx(value) for value in triples) and deviation > 0
    assert "samples=3 at temperature 0" in ask(server.url, "--set", "samples=3").err


def test_seeds_are_other_examples(serve, ask):
    server = serve()
    assert ask(server.url, "--seeds", "2").code == 0
    assert server.sent == 64 and len({json.dumps(b["messages"]) for b in server.bodies}) == 64


def test_cross_validation_never_shows_the_fold(serve, ask, k_vrh):
    server = serve()
    outcome = ask(server.url, "--protocol", "cv", "--concurrency", "16")
    assert outcome.code == 0 and server.sent == 156
    assert set(_predictions(outcome).index) == {*k_vrh.splits["train"], *k_vrh.splits["validation"]}


def test_probes_tell_what_is_used(serve, ask):
    """A model that reads the text and never the image."""
    data = load_task("ecd-fcc/k_vrh", text="single")
    known = {data.rows[m]["text"]: float(v) for m, v in zip(data.ids, data.targets(data.ids), strict=True)}

    def reply(body):
        content = body["messages"][-1]["content"]
        text = content if isinstance(content, str) else content[0]["text"]
        first = text.partition("\n")[0].removeprefix("Description: ")
        return json.dumps({"value": known.get(first, 100.0)})

    server = serve(reply=reply)
    outcome = ask(server.url, "--probes", "--concurrency", "16")
    result = json.loads((_run(outcome) / "result.json").read_text())
    readings = {name: probe["reading"] for name, probe in result["probes"].items()}
    nothing = "no image, no examples"
    assert set(readings) == {
        "image of another row",
        "no image",
        "no text",
        "text of another row",
        "no examples",
        nothing,
    }
    for name in ("image of another row", "no image", "no examples", nothing):
        assert "the score does not move" in readings[name] and result["probes"][name]["difference"]["value"] == 0
    for name in ("no text", "text of another row"):
        assert readings[name].endswith("text used.")
    assert all(reading in outcome.out for reading in readings.values())
    assert server.sent == 7 * 32 and "probes 192 answers" in outcome.out
    assert "Probes: what the model uses" in ask(server.url, "--probes").out and server.sent == 7 * 32


def test_a_dry_run_sends_nothing(serve, ask, monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY")
    server = serve()
    outcome = ask(server.url, "--dry-run")
    assert outcome.code == 0 and server.sent == 0 and not Path("runs").exists()
    assert '"role": "system"' in outcome.out and "characters)" in outcome.out
    assert "32 requests" in outcome.out and "unknown cost" in outcome.out
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    ask(server.url, "--limit", "2")
    lines = [json.loads(line) for line in ask(server.url, "--dry-run", "--json").out.splitlines()]
    assert [line["request"] for line in lines[:2]] == sorted(server.bodies, key=lambda b: b != lines[0]["request"])
    assert [line["is_kept"] for line in lines] == [True] * 2 + [False] * 30


def test_a_dry_run_counts_probes(serve, ask):
    assert "28 requests" in ask(serve().url, "--dry-run", "--probes", "--limit", "4").out


def test_a_run_of_a_few_rows_has_no_rank(serve, ask, cli):
    ask(serve().url, "--limit", "31", model="odd|name")
    board = cli("leaderboard", "--format", "markdown").out
    assert "not ranked: predicts only 31 rows" in board and "odd\\|name" in board


def test_two_commands_at_once_pay_once(serve, ask, tmp_path):
    """One command with fewer rows, and another one twice."""
    server = serve(latency=1.0)
    common = [sys.executable, "-m", "ecdbench", "evaluate", "in-context", "--task", "ecd-fcc/k_vrh", "--fresh"]
    settings = ["--set", "model=made-up", "--set", f"base_url={server.url}", "--quiet"]
    commands = [[*common, *settings, "--limit", limit] for limit in ("8", "9", "9")]
    processes = [subprocess.Popen(command, stderr=subprocess.DEVNULL) for command in commands]
    assert [process.wait() for process in processes] == [3, 3, 3]
    assert server.sent == 9


def test_a_dry_run_of_a_model_without_service(cli):
    outcome = cli("evaluate", "mean", "--task", "ecd-fcc/k_vrh", "--dry-run")
    assert outcome.code == 1 and "does not use a service" in outcome.err


def test_prices(serve, ask):
    server = serve()
    Path("prices.yaml").write_text("- {model: made-*, input: 10.0, output: 100.0}\n")
    outcome = ask(server.url, "--prices", "prices.yaml")
    assert "cost $0.0640" in outcome.out  # 32 x (100 x 10 + 10 x 100) / 1e6
    dry = ask(server.url, "--prices", "prices.yaml", "--set", "shots=1", "--dry-run").out
    assert "if every answer is as long as" in dry


def test_custom_prompt(serve, ask):
    server = serve()
    Path("mine.yaml").write_text('version: "mine"\nsystem: "Guess {{ target }}."\nquestion: "{{ text }}?"\n')
    outcome = ask(server.url, "--set", "prompt=mine.yaml", "--limit", "1")
    assert server.bodies[0]["messages"][0]["content"] == "Guess k_vrh."
    assert "prompt mine" in outcome.out
    Path("mine.yaml").write_text('version: "mine"\nsystem: "Guess {{ nothing }}."\nquestion: "{{ text }}?"\n')
    assert "The prompt cannot be rendered" in ask(server.url, "--set", "prompt=mine.yaml").err
    assert "There is no prompt" in ask(server.url, "--set", "prompt=other.yaml").err


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{% for i in range(100000) %}{% for j in range(100000) %}{% endfor %}{% endfor %}", "uses For of Jinja"),
        ("{{ 9 ** 9 ** 9 ** 9 }}", "uses Pow of Jinja"),
        ("{{ 'a' * 999999999 }}", "uses Mul of Jinja"),
        ("{{ 'a' | center(999999999) }}", "uses the filter center of Jinja"),
        ("{{ unit.format(1) }}", "of Jinja"),
        ("{{ unit", "is not a Jinja template"),
    ],
)
def test_a_prompt_that_would_not_end(serve, ask, text, said):
    Path("mine.yaml").write_text(json.dumps({"version": "1", "system": text, "question": "?"}))
    assert said in ask(serve().url, "--set", "prompt=mine.yaml").err


def test_prompt_files_that_are_none(serve, ask):
    os.mkfifo("mine.yaml")
    server = serve()
    assert "There is no prompt file" in ask(server.url, "--set", "prompt=mine.yaml").err
    assert "There is no prompt file" in ask(server.url, "--set", "prompt=/dev/zero").err
    Path("large.yaml").write_text("# " + "a" * 300_000)
    assert "has more than 256 KiB" in ask(server.url, "--set", "prompt=large.yaml").err


def test_no_key_in_any_file_or_message(serve, ask, tmp_path):
    """An endpoint that echoes the key in answers and errors."""

    def reply(body):
        if body["max_tokens"] == 7:
            return 400, {"error": {"message": f"bad request with key {KEY}"}}
        if body["max_tokens"] == 8:
            return 401, {"error": {"message": f"Incorrect API key provided: {KEY}"}}
        return f'{{"value": 1}} {KEY}'

    server = serve(reply=reply)
    outcomes = [
        ask(server.url, "--set", f"max_tokens={n}", *more)
        for n, more in ((9, ("--probes",)), (7, ()), (8, ()), (6, ("--batch",)))
    ]
    said = "".join(outcome.out + outcome.err for outcome in outcomes)
    command = ["ecdbench", "evaluate", "in-context", "--task", "ecd-fcc/k_vrh", "--set", "model=made-up", "--debug"]
    settings = ["--set", f"base_url={server.url}", "--set", "max_tokens=8"]
    traceback = subprocess.run([sys.executable, "-m", *command, *settings], capture_output=True, text=True, check=False)
    assert "Traceback" in traceback.stderr and "rejects the API key" in traceback.stderr
    said += traceback.stdout + traceback.stderr
    assert any(KEY in header for header in server.seen)
    files = [path for root in (tmp_path, Path.cwd()) for path in root.rglob("*") if path.is_file()]
    assert any(path.name == "answers.sqlite" for path in files) and any(path.name == "replies.jsonl" for path in files)
    assert KEY not in said and not [path for path in files if KEY.encode() in path.read_bytes()]
    kept = sqlite3.connect(os.environ["ECDBENCH_CACHE"] + "/answers.sqlite").execute("SELECT response FROM answers")
    assert "[key]" in kept.fetchone()[0]


def test_from_python_inside_a_running_loop(serve):
    import asyncio

    server = serve()

    async def notebook():
        parameters = {"model": "made-up", "base_url": server.url, "image": False}
        return evaluate("in-context", "ecd-fcc/k_vrh", text="single", parameters=parameters)

    assert asyncio.run(notebook()).result.scores["holdout"].coverage == 1


def test_the_model_behaves_as_a_predictor(serve, cli):
    server = serve()
    settings = ("--set", "model=made-up", "--set", f"base_url={server.url}")
    outcome = cli("check", "in-context", "--text", "single", *settings)
    assert outcome.code == 0, outcome.out


def test_a_learning_curve(serve, cli):
    server = serve()
    settings = ("--set", "model=made-up", "--set", f"base_url={server.url}")
    outcome = cli("stability", "in-context", "--task", "ecd-fcc/k_vrh", "--vary", "shots=0,1,5,20", *settings)
    assert outcome.code == 0 and server.sent == 128
    assert all(f"shots={k}" in outcome.out for k in (0, 1, 5, 20))
    bounded = cli(
        "stability", "in-context", "--task", "ecd-fcc/k_vrh", "--vary", "shots=2", *settings, "--max-requests", "5"
    )
    assert bounded.code == 1 and server.sent == 133 and "--max-requests 5 is reached" in bounded.err
    if importlib.util.find_spec("matplotlib"):
        Image.open(outcome.out.split("Plot: ")[1].splitlines()[0]).verify()


def test_compared_with_each_baseline(serve, ask, cli):
    ask(serve().url, "--set", "image=false")
    for model in ("mean", "median"):
        cli("evaluate", model, "--task", "ecd-fcc/k_vrh", "-q")
    (own,) = Path("runs").rglob("in-context-*")
    cli("evaluate", "mean", "--task", "ecd-fcc/k_vrh", "--protocol", "cv", "-q")
    cli("evaluate", "mean", "--task", "ecd-fcc/k_vrh", "--limit", "3", "-q")
    everything = [*Path("runs").glob("*/*")]
    outcome = cli("compare", own, *everything)
    assert outcome.code == 0 and outcome.out.count("(cluster sign-flip test)") == 2
    assert "differ in protocol" in outcome.err and "predicts only 3 rows" in outcome.err
    found = json.loads(cli("compare", own, *everything, "--json").out)
    assert {Path(other["second"]).name.partition("-")[0] for other in found["others"]} == {"mean", "median"}
