"""Tables of a fit are what the task gives, and hold nothing else."""

import pickle

import numpy as np
import pytest
from ecdbench.benchmark.row_tables import RowTables


@pytest.mark.parametrize("inputs", [None, ("formula",), ("volume",), ()])
def test_the_same_as_the_task_gives(k_vrh, inputs):
    data = k_vrh.only(inputs)
    some, others = data.ids[5:9][::-1], data.ids[:9]
    targets, names = data.targets(some), {sample_id: str(number) for number, sample_id in enumerate(data.ids)}
    tables = RowTables(data, others)
    for given in ((some,), (some, targets), (some, targets, names), (some, None, names), ([],)):
        mine, expected = tables.table(*given), data.table(*given)
        assert mine.features == expected.features and mine.format == expected.format
        assert len(mine) == len(expected)
        for one, two in zip(mine, expected, strict=True):
            assert one.keys() == two.keys()
            assert all(np.array_equal(one[name], two[name]) for name in one)


def test_a_table_holds_no_other_rows(k_vrh):
    data = k_vrh.only(("formula",))
    packed = pickle.dumps(RowTables(data, data.ids).table(data.ids[:2]))
    assert len(packed) < len(pickle.dumps(data.table(data.ids))) / 10
