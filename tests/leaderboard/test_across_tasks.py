"""Models across tasks."""

import json
from pathlib import Path

import numpy as np
import pytest
from ecdbench import evaluate
from ecdbench.leaderboard.board import make_board
from ecdbench.leaderboard.formats import to_json, to_markdown
from ecdbench.leaderboard.page import make_page

TASKS = ("ecd-fcc/k_vrh", "ecd-fcc/band_gap", "ecd-fcc/is_metal")


@pytest.fixture(scope="module")
def board(tmp_path_factory):
    root = tmp_path_factory.mktemp("runs")
    for task in TASKS:
        for model in ("mean", "knn-composition"):
            evaluate(model, task, out=root)
    evaluate("pixel-ridge", TASKS[0], out=root)
    return make_board([root])


def test_means_are_those_of_the_sections(board):
    (summary,) = board.summaries
    rows = {row.model: row for row in summary.rows}
    assert set(summary.tasks) == set(TASKS) and [row.model for row in summary.rows][-1] == "pixel-ridge"
    own = [
        (entry.score["skill"].value if entry.result.kind == "regression" else None, entry.rank.rank)
        for section in board.sections
        for entry in section.rows
        if entry.name == "knn-composition"
    ]
    logs = next(s for s in board.sections if s.task == "ecd-fcc/is_metal")
    loss = {entry.name: entry.score["log_loss"].value for entry in logs.rows}
    expected = [skill for skill, _ in own if skill is not None] + [1 - loss["knn-composition"] / loss["mean"]]
    knn = rows["knn-composition"]
    assert knn.skill.value == pytest.approx(np.mean(expected))
    assert knn.skill.low < knn.skill.value < knn.skill.high
    # Ranks are among the two that were run on all tasks.
    assert knn.rank.value + rows["mean"].rank.value == pytest.approx(3)
    assert rows["mean"].skill.value == pytest.approx(0) and 1 <= knn.rank.low <= knn.rank.high <= 2


def test_a_missing_run_is_said_and_has_no_rank(board):
    row = board.summaries[0].rows[-1]
    assert row.rank is None and row.tasks == [TASKS[0]] and set(row.missing) == set(TASKS[1:])
    skill = next(e.score["skill"].value for s in board.sections for e in s.rows if e.name == "pixel-ridge")
    assert row.skill.value == pytest.approx(skill) and row.skill.low is None
    assert "1 more miss a task" in board.summaries[0].caption


def test_every_format_has_it(board):
    title = board.summaries[0].title
    assert f"### {title}" in to_markdown(board) and title in make_page(board)
    across = json.loads(to_json(board))["across_tasks"]
    assert [row["model"] for row in across[0]["rows"]] == [row.model for row in board.summaries[0].rows]


def test_one_task_is_no_summary(tmp_path):
    for model in ("mean", "median"):
        evaluate(model, TASKS[0], out=tmp_path)
    assert make_board([Path(tmp_path)]).summaries == []
