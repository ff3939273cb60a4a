"""The choice of examples depends on the query alone, and never includes it."""

import numpy as np
import pytest
from ecdbench.baselines.llm.conversation import SELECTIONS, ExamplePool
from ecdbench.benchmark.errors import ModelError

IDS = [f"m{i}" for i in range(40)]
TARGETS = np.arange(40.0)
FORMULAS = (["Al", "Cu", "NaCl", "KCl"] * 10)[:40]


def _ids(ids, chosen):
    return [ids[row] for row in chosen]


@pytest.mark.parametrize("selection", SELECTIONS)
def test_the_choice_depends_on_seed_and_query_alone(selection):
    pool = ExamplePool(IDS, TARGETS, FORMULAS, 0)
    order = np.random.default_rng(1).permutation(40)
    shuffled_ids = [IDS[i] for i in order]
    shuffled = ExamplePool(shuffled_ids, TARGETS[order], [FORMULAS[i] for i in order], 0)
    first = _ids(IDS, pool.choose(6, selection, "q", "Al"))
    pool.choose(6, selection, "another", "Cu")
    assert _ids(IDS, pool.choose(6, selection, "q", "Al")) == first
    assert _ids(shuffled_ids, shuffled.choose(6, selection, "q", "Al")) == first
    assert len(set(first)) == 6


def test_seeds_and_queries_differ():
    choices = {
        tuple(ExamplePool(IDS, TARGETS, None, seed).choose(5, "random", query, None))
        for seed in (0, 1)
        for query in ("a", "b")
    }
    assert len(choices) == 4


def test_stratified_covers_the_range():
    chosen = ExamplePool(IDS, TARGETS, None, 0).choose(4, "stratified", "q", None)
    assert sorted(int(TARGETS[row]) // 10 for row in chosen) == [0, 1, 2, 3]


def test_nearest_comes_last():
    chosen = ExamplePool(IDS, TARGETS, FORMULAS, 0).choose(12, "nearest", "q", "KCl")
    assert {FORMULAS[row] for row in chosen[-10:]} == {"KCl"}
    assert {FORMULAS[row] for row in chosen[:2]} == {"NaCl"}


@pytest.mark.parametrize("selection", SELECTIONS)
def test_a_row_is_no_example_for_itself(selection):
    chosen = ExamplePool(IDS, TARGETS, FORMULAS, 0).choose(39, selection, "m7", "KCl")
    assert 7 not in chosen and len(set(chosen)) == 39


def test_what_cannot_be_chosen():
    pool = ExamplePool(IDS, TARGETS, None, 0)
    with pytest.raises(ModelError, match="use fewer"):
        pool.choose(41, "random", "q", None)
    with pytest.raises(ModelError, match="no formula"):
        pool.choose(4, "nearest", "q", None)
    assert pool.choose(0, "nearest", "q", None) == []
