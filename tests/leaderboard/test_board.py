import csv
import io
import json
from dataclasses import replace
from pathlib import Path

import pytest
from ecdbench import evaluate, load_task, read_run
from ecdbench.benchmark.errors import DataError
from ecdbench.leaderboard.board import Filter, make_board, standing
from ecdbench.leaderboard.compare import compare, verdict
from ecdbench.leaderboard.formats import to_csv, to_json, to_markdown
from ecdbench.leaderboard.reported import reported
from ecdbench.submissions.reference import References
from ecdbench.submissions.rescoring import label, rescore


@pytest.fixture
def runs(k_vrh):
    """Three models on one task, two of them nearly the same, and one on another."""
    forest = [evaluate("composition-forest", k_vrh, parameters={"trees": n}) for n in (60, 80)]
    return [*forest, evaluate("mean", k_vrh), evaluate("mean", "ecd-fcc/band_gap")]


def test_rows_are_ranked_and_ties_are_said(runs):
    board = make_board([Path("runs")])
    assert [section.task for section in board.sections] == ["ecd-fcc/band_gap", "ecd-fcc/k_vrh"]
    section = board.sections[1]
    assert [row.rank.rank for row in section.rows] == [1, 2, 3]
    assert [standing(row) for row in section.rows] == [
        "first",
        "tied with 1st",
        "worse than 1st",
    ]
    rmse = [row.scores["holdout"]["rmse"].value for row in section.rows]
    assert rmse == sorted(rmse)
    assert "Tied for 1st" in section.summary and "mean" not in section.summary
    assert "2 of 3 pairs are told apart. This table can separate differences of about " in section.summary
    assert "Because it was chosen here, the best of 3 rows looks better than it is by about " in section.summary
    assert board.sections[0].summary == ""


def test_one_bad_run_does_not_hide_the_others(runs):
    (runs[0].folder / "predictions.parquet").write_bytes(b"nonsense")
    board = make_board([Path("runs")], Filter("ecd-fcc/k_vrh"))
    assert len(board.sections[0].rows) == 2
    assert len(board.left_out) == 1 and runs[0].folder.name in board.left_out[0]
    assert "Left out" in to_markdown(board)


def test_a_run_with_too_many_failures_is_shown_and_not_ranked(runs, write_model, k_vrh):
    source = """
class Lucky:
    def fit(self, train, validation, context): ...
    def predict(self, data):
        return [100.0 if i % 2 else float("nan") for i in range(len(data))]
"""
    evaluate(str(write_model(source)), k_vrh)
    row = make_board([Path("runs")], Filter("ecd-fcc/k_vrh")).sections[0].rows[-1]
    assert row.rank is None
    assert "not ranked" in standing(row)


def test_formats_agree(runs):
    board = make_board([Path("runs")])
    from_json = json.loads(to_json(board))["rows"]
    from_csv = list(csv.DictReader(io.StringIO(to_csv(board))))
    assert [float(row["rmse"]) for row in from_csv] == [row["rmse"] for row in from_json]
    assert to_markdown(board).count("\n| ") == 2 + len(from_json)


def test_what_a_row_is_called(k_vrh):
    assert (
        label(evaluate("composition-forest", k_vrh, parameters={"trees": 5}).result) == "composition-forest (trees=5)"
    )
    other = load_task("ecd-fcc/k_vrh", text="key", channel="spin")
    assert label(evaluate("mean", other).result) == "mean"  # it looks at neither text nor density
    assert (
        label(evaluate("density-forest", other, parameters={"trees": 5}).result)
        == "density-forest, spin density (trees=5)"
    )


def test_compare(runs):
    forest, _, mean, other = (rescore(run.folder) for run in runs)
    differences = compare(forest, mean)
    expected = forest.scores["holdout"]["rmse"].value - mean.scores["holdout"]["rmse"].value
    assert differences["rmse"].value == pytest.approx(expected)
    assert differences["rmse"].high < 0
    assert verdict(("a", "b"), (forest, mean), differences).startswith("a is better than b")
    assert verdict(("b", "a"), (mean, forest), compare(mean, forest)).startswith("a is better than b")
    assert "are tied" in verdict(("a", "a"), (forest, forest), compare(forest, forest))
    failing = replace(mean, samples={"holdout": replace(mean.sample, coverage=0.9)})
    said = verdict(("a", "b"), (forest, failing), differences)
    assert said == "b is not judged: only 90% of its predictions could be scored."
    with pytest.raises(DataError, match="differ in task"):
        compare(forest, other)


def test_runs_of_other_protocols_are_not_compared(k_vrh):
    one, two = (rescore(evaluate("mean", k_vrh, protocol=p).folder) for p in ("fixed", "cv"))
    with pytest.raises(DataError, match="differ in protocol"):
        compare(one, two)


def test_literature_values_are_marked(sfe_dir):
    assert {"0.87", "0.89", "0.93", "0.57"} <= {entry.r2 for entry in reported("sfe")}
    assert reported("ecd-fcc/k_vrh") == []
    evaluate("mean", load_task("sfe", data_dir=sfe_dir))
    assert "reported, not recomputed" in to_markdown(make_board([Path("runs")], references=References(sfe_dir)))


def test_what_compare_writes(cli, k_vrh):
    one, two = (evaluate(m, k_vrh, protocol="cv").folder for m in ("knn-composition", "mean"))
    outcome = cli("compare", one, two, "--out", "comparison")
    assert outcome.code == 0, outcome.err
    assert "Samples on which they differ most" in outcome.out and "corrected resampled t-test" in outcome.out
    samples = list(csv.DictReader(io.StringIO(Path("comparison/samples.csv").read_text())))
    assert len(samples) == len(k_vrh.splits["train"]) + len(k_vrh.splits["validation"])
    gaps = [float(row["closer"]) for row in samples]
    assert gaps == sorted(gaps, key=abs, reverse=True)
    assert float(samples[0]["closer"]) == pytest.approx(
        abs(float(samples[0]["first"]) - float(samples[0]["target"]))
        - abs(float(samples[0]["second"]) - float(samples[0]["target"]))
    )
    assert Path("comparison/parity.png").read_bytes().startswith(b"\x89PNG")
    assert "This comparison can separate differences of about" in outcome.out
    record = json.loads(cli("compare", one, two, "--json").out)
    assert 0 < record["resolution"]["detectable_relative"] < 1 and record["difference"]["rmse"]["p_value"] < 0.05
    assert record["corrected_t_p_value"] < 0.05 and len(record["samples"]) == len(samples)


def test_filters(cli, k_vrh):
    for model in ("mean", "pixel-ridge", "joint-forest"):
        evaluate(model, k_vrh)

    def names(*options):
        rows = json.loads(cli("leaderboard", "runs", "-f", "json", *options).out)["rows"]
        return {row["model"] for row in rows}

    assert names() == {"mean", "pixel-ridge", "joint-forest"}
    assert names("--inputs", "image") == {"pixel-ridge"}
    assert names("--inputs", "density,formula") == {"joint-forest"}
    assert names("--not-pretrained", "--text", "none") == names()
    assert "There are no runs" in cli("leaderboard", "runs", "--pretrained").err
    assert "There is no input 'imag'. Did you mean image" in cli("leaderboard", "runs", "--inputs", "imag").err
    assert cli("leaderboard", "runs", "-f", "csv", "--out", "board.csv").out == ""
    assert Path("board.csv").read_text().startswith("task,unit")


def test_texts_of_own_runs_are_texts(cli, k_vrh, write_model):
    source = "class Model:\n def fit(self, t, v, c): self.m = float(sum(t['target'])) / len(t)\n"
    source += " def predict(self, d): return [self.m] * len(d)\n"
    run = read_run(evaluate(str(write_model(source)), k_vrh).folder.rename(Path("runs", "theirs")))
    evaluate("knn-composition", k_vrh)
    record = json.loads((run.folder / "result.json").read_text())
    record["model"]["name"] = "=1+1 \x1b[2J ![x](https://evil.example/p.png) <script>"
    (run.folder / "result.json").write_text(json.dumps(record))
    markdown = cli("leaderboard", "runs", "-f", "markdown").out
    assert "<script" not in markdown and "![x](" not in markdown and "\x1b" not in markdown
    assert "'=1+1" in cli("leaderboard", "runs", "-f", "csv").out
    assert "\x1b" not in cli("leaderboard", "runs").out
