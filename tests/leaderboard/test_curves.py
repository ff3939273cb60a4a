"""Error against rows learnt from, and error on what was held out: numbers, sentences and figures."""

import base64
import re
from pathlib import Path

import numpy as np
import pytest
from ecdbench import evaluate
from ecdbench.benchmark.scoring import Score
from ecdbench.leaderboard.board import make_board
from ecdbench.leaderboard.curves import LearningCurve, learning_curves, scores_by_fold
from ecdbench.leaderboard.formats import to_markdown
from ecdbench.leaderboard.page import make_page


@pytest.fixture
def board(k_vrh):
    for model in ("mean", "knn-composition"):
        for protocol in ("learning-curve", "leave-cluster-out,by=prototype"):
            evaluate(model, k_vrh, protocol=protocol)
    return make_board([Path("runs")])


def curve(*values):
    scores = [Score(value=value, low=None, high=None, seed_std=None) for value in values]
    return LearningCurve("a", dict(zip((50, 100, 200, 400), scores, strict=True)))


@pytest.mark.parametrize(
    ("values", "wanted", "direction", "rows"),
    [
        ((40, 20, 10, 5), 20, "lower", 100),
        ((40, 20, 10, 5), 20 / np.sqrt(2), "lower", 100 * np.sqrt(2)),
        ((40, 20, 10, 5), 60, "lower", 50),
        ((40, 20, 10, 5), 4, "lower", None),
        ((None, 20, 10, 5), 15, "lower", 100 * 2 ** (np.log(4 / 3) / np.log(2))),
        ((-0.2, 0.0, 0.4, 0.8), 0.2, "higher", 100 * np.sqrt(2)),
        ((40, 20, 30, 5), 20, "lower", 100),
        ((None, None, None, None), 20, "lower", None),
    ],
)
def test_rows_that_a_value_takes(values, wanted, direction, rows):
    found = curve(*values).rows_for(wanted, direction)
    assert found == (None if rows is None else pytest.approx(rows))


def test_sections_say_what_curves_and_clusters_show(board, k_vrh):
    by_protocol = {section.protocol: section for section in board.sections}
    sizes = by_protocol["learning-curve"]
    best, worst = learning_curves(sizes)
    assert best.name == "knn-composition" and list(best.scores) == list(worst.scores)
    assert max(best.scores) == len(k_vrh.splits["train"])
    assert re.search(r"knn-composition needs no more than \d+ rows for what mean reached with \d+", sizes.summary)
    held_out = by_protocol["leave-cluster-out,by=prototype"]
    values = scores_by_fold(held_out, held_out.rows[0])
    assert set(values) >= {"AB, 225", "ABC, 216"} and "Hardest for knn-composition, by RMSE: " in held_out.summary
    assert held_out.summary in to_markdown(board)
    assert learning_curves(held_out) == [] and scores_by_fold(sizes, sizes.rows[0]) == {}


def test_the_page_draws_them_the_same_each_time(board):
    figures = [re.findall(r'src="data:image/svg[+]xml;base64,([^"]+)"', make_page(board)) for _ in range(2)]
    assert figures[0] == figures[1] and len(figures[0]) == 2
    assert all(b"</svg>" in base64.b64decode(figure) for figure in figures[0])


def test_the_page_has_the_scores_of_stated_deviations(board):
    page = make_page(board)
    assert "How well 1 rows know their own errors" in page  # the mean states one, the nearest neighbours none
    value = next(e.score["crps"].value for s in board.sections for e in s.rows if e.name == "mean")
    assert f"{value:.3g} [" in page


def test_a_run_draws_its_own(board):
    drawn = {path.name for path in Path("runs").rglob("*.png")}
    assert drawn == {"sizes.png", "folds.png"}
