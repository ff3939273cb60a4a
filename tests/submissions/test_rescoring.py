import json
import shutil

import pandas as pd
import pytest
from ecdbench import evaluate, load_task, read_run
from ecdbench.benchmark.errors import DataError
from ecdbench.submissions.rescoring import rescore


@pytest.fixture
def run(k_vrh, tmp_path):
    """A run that somebody else has made: this machine knows no digests of it."""
    made = evaluate("composition-forest", k_vrh, parameters={"trees": 10}, seeds=2)
    return read_run(shutil.copytree(made.folder, tmp_path / "theirs"))


def edit_result(run, **changes):
    file = run.folder / "result.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))


def edit_predictions(run, change):
    file = run.folder / "predictions.parquet"
    frame = change(pd.read_parquet(file))
    frame.to_parquet(file, index=False)


@pytest.mark.parametrize("protocol", ["fixed", "cv"])
def test_an_honest_run_is_recomputed_to_the_last_digit(protocol):
    data = load_task("ecd-fcc/band_gap", split="grouped", text="key")
    run = evaluate("knn-composition", data, protocol=protocol)
    assert dict(rescore(run.folder).scores) == run.result.scores


def test_scores_that_were_edited_are_not_believed(run):
    honest = run.result.scores["holdout"]["rmse"].value
    scores = json.loads((run.folder / "result.json").read_text())["scores"]
    scores["holdout"]["metrics"]["rmse"]["value"] = 0.001
    edit_result(run, scores=scores)
    assert rescore(run.folder).scores["holdout"]["rmse"].value == honest


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda f: f[1:], "does not hold every prediction of its protocol exactly once"),
        (lambda f: f[f["split"] != "holdout"], "does not hold every prediction"),
        (lambda f: pd.concat([f, f[:1]]), "does not hold every prediction"),
        (lambda f: f.assign(id=f["id"].replace("mp-101", "mp-0")), "does not hold every prediction"),
        (lambda f: f.drop(columns="prediction"), "has no readable predictions"),
        (lambda f: f.assign(prediction="many"), "has no readable predictions"),
    ],
)
def test_edited_predictions_are_refused(run, change, sentence):
    edit_predictions(run, change)
    with pytest.raises(DataError, match=sentence):
        rescore(run.folder)


def test_other_data_are_refused(run):
    columns = run.result.columns
    for name, what in (("formula", "another version of the column formula"), ("id", "other rows")):
        edit_result(run, columns=columns | {name: "0" * 64})
        with pytest.raises(DataError, match=f"was made on {what} of ecd-fcc/k_vrh"):
            rescore(run.folder)
    edit_result(run, columns={})
    with pytest.raises(DataError, match="was made on other rows"):
        rescore(run.folder)


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"schema_version": 1}', "not json"])
def test_a_record_of_another_kind_is_refused(run, content):
    (run.folder / "result.json").write_text(content)
    with pytest.raises(DataError, match="not a result of schema 2"):
        rescore(run.folder)


@pytest.mark.parametrize("field", ["source", "task"])
def test_a_run_does_not_send_anybody_to_the_hub(field, cli, k_vrh, monkeypatch):
    """A result may be a stranger's; what it names is fetched, with the user's token, only on request."""
    run = read_run(evaluate("mean", k_vrh).folder.rename("runs/theirs"))
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")  # nobody is there: a request would fail otherwise
    elsewhere = f"somebody/densities@{'0' * 40}/k_vrh"
    record = json.loads((run.folder / "result.json").read_text())
    record |= {"columns": record["columns"] | {"k_vrh": "0" * 64}, field: elsewhere}
    (run.folder / "result.json").write_text(json.dumps(record))
    for command in (("show", run.folder), ("compare", run.folder, run.folder), ("leaderboard", "runs")):
        said = cli(*command)
        assert "is on the Hub and not on this machine; --download fetches it" in said.err, said.err
    assert "does not answer" in cli("show", run.folder, "--download").err
