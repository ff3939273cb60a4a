import json
import multiprocessing

import numpy as np
import pytest
from ecdbench.benchmark.feature_store import FeatureStore, content_key
from hypothesis import given, settings
from hypothesis import strategies as st

KEYS = [content_key(bytes([i])) for i in range(10)]


class Recorder:
    """Features that say which input they come from, in blocks of three."""

    def __init__(self, shape=(2,), keys=KEYS, fail_after=None):
        self.asked, self.shape, self.keys, self.fail_after = [], shape, keys, fail_after

    def __call__(self, missing):
        for start in range(0, len(missing), 3):
            if self.fail_after is not None and start >= self.fail_after:
                raise KeyboardInterrupt
            rows = missing[start : start + 3]
            self.asked += rows
            yield np.stack([np.full(self.shape, self.keys[row][0], np.float32) for row in rows])


def values(rows):
    return rows.take(slice(None))[:, 0].tolist()


def expected(keys):
    return [float(key[0]) for key in keys]


def test_rows_are_computed_once_and_come_in_the_order_asked_for(tmp_path):
    store, compute = FeatureStore(tmp_path), Recorder()
    assert values(store.rows({"a": 1}, KEYS[:4], compute)) == expected(KEYS[:4])
    mixed = [KEYS[6], KEYS[1], KEYS[6], KEYS[0]]
    again = Recorder(keys=mixed)
    rows = FeatureStore(tmp_path).rows({"a": 1}, mixed, again)
    assert values(rows) == expected(mixed)
    assert again.asked == [0]  # the others were there; the repeated one is computed once
    assert rows.shape == (2,) and len(rows) == 4


def test_another_recipe_shares_nothing(tmp_path):
    store, other = FeatureStore(tmp_path), Recorder(shape=(3, 4))
    store.rows({"weights": "a"}, KEYS, Recorder())
    assert store.rows({"weights": "b"}, KEYS, other).shape == (3, 4)
    assert len(other.asked) == len(KEYS)


def test_an_interrupt_loses_no_finished_block(tmp_path):
    store = FeatureStore(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        store.rows({}, KEYS, Recorder(fail_after=6))
    rest = Recorder()
    assert values(store.rows({}, KEYS, rest)) == expected(KEYS)
    assert rest.asked == [6, 7, 8, 9]


@settings(max_examples=25)
@given(rows=st.integers(0, 90), keys=st.integers(0, 330), recipe=st.booleans())
def test_files_cut_anywhere_are_completed(tmp_path_factory, rows, keys, recipe):
    folder = tmp_path_factory.mktemp("store")
    FeatureStore(folder).rows({}, KEYS, Recorder())
    shelf = next(path for path in folder.iterdir() if path.is_dir())
    for name, size in (("rows.bin", rows), ("keys.bin", keys)):
        content = (shelf / name).read_bytes()
        (shelf / name).write_bytes(content[:size])
    if recipe:
        (shelf / "recipe.json").unlink()
    assert values(FeatureStore(folder).rows({}, KEYS, Recorder())) == expected(KEYS)


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"shape": "x"}', '{"shape": [0]}'])
def test_a_damaged_description_is_made_anew(tmp_path, text):
    FeatureStore(tmp_path).rows({}, KEYS, Recorder())
    next(tmp_path.glob("*/recipe.json")).write_text(text)
    again = Recorder()
    assert values(FeatureStore(tmp_path).rows({}, KEYS, again)) == expected(KEYS)
    assert len(again.asked) == len(KEYS)


def test_a_view_of_each_row(tmp_path):
    bank = np.arange(10 * 4 * 2, dtype=np.float32).reshape(10, 4, 2)
    rows = FeatureStore(tmp_path).rows({}, KEYS, lambda missing: [bank[missing]])
    picked = rows.take_views(np.array([3, 0]), np.array([1, 2]))
    assert picked.tolist() == [bank[3, 1].tolist(), bank[0, 2].tolist()]


def test_the_recipe_is_written_for_people(tmp_path):
    FeatureStore(tmp_path).rows({"backbone": "x"}, KEYS, Recorder())
    recipe = json.loads(next(tmp_path.glob("*/recipe.json")).read_text())
    assert recipe == {"recipe": {"backbone": "x"}, "shape": [2]}


def _work(folder, start):
    keys = [content_key(bytes([i])) for i in range(start, start + 40)]
    rows = FeatureStore(folder).rows({}, keys, Recorder(keys=keys))
    assert values(rows) == expected(keys)


def test_processes_share_one_store(tmp_path):
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=_work, args=(tmp_path, start)) for start in (0, 20, 40, 10)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0, 0, 0, 0]
    assert len((next(tmp_path.glob("*/keys.bin"))).read_bytes()) == 80 * 32
