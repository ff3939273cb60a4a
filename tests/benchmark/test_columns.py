import numpy as np
import pytest
from ecdbench.benchmark.columns import cell_digest, column_sha256, combined_sha256

COLUMN = {"a": 1.5, "b": 2.5, "c": None}


def test_order_does_not_matter():
    assert column_sha256(dict(reversed(COLUMN.items()))) == column_sha256(COLUMN)


@pytest.mark.parametrize("change", [{"a": 1.5000001}, {"b": None}, {"c": 0.0}, {"d": 1.0}, {"a": "1.5"}, {"a": True}])
def test_every_change_matters(change):
    assert column_sha256(COLUMN | change) != column_sha256(COLUMN)


@pytest.mark.parametrize(
    "values",
    [(b"png", b"pnG"), ("Ni", "ni"), (np.eye(3, dtype=np.float32), np.eye(3)), (np.zeros((2, 3)), np.zeros((3, 2)))],
)
def test_cells_differ_in_value_type_and_shape(values):
    assert cell_digest(values[0]) != cell_digest(values[1])


def test_an_unknown_number_is_an_unknown_number():
    assert column_sha256(COLUMN | {"c": float("nan")}) == column_sha256(COLUMN)


def test_some_rows_have_a_hash_of_their_own():
    digests = {sample_id: cell_digest(cell) for sample_id, cell in COLUMN.items()}
    some = combined_sha256(digests, ["b", "a"])
    assert some == column_sha256({"a": 1.5, "b": 2.5}) != column_sha256(COLUMN)
