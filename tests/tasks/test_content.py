import numpy as np
import pytest
from ecdbench.tasks.content import content_sha256

ROWS = [
    {"id": "a", "image": b"png", "density": np.eye(3, dtype=np.float32), "text": "Ni", "k": 1.5, "gap": None},
    {"id": "b", "image": b"gif", "density": np.ones((3, 3), np.float32), "text": "Cu", "k": 2.5, "gap": 0.0},
]


def test_order_does_not_matter():
    reordered = [dict(reversed(row.items())) for row in reversed(ROWS)]
    assert content_sha256(reordered) == content_sha256(ROWS)


@pytest.mark.parametrize(
    "change",
    [
        {"k": 1.5000001},
        {"text": "ni"},
        {"image": b"pnG"},
        {"gap": 0.0},
        {"id": "c"},
        {"density": np.eye(3, dtype=np.float64)},
    ],
)
def test_every_change_matters(change):
    assert content_sha256([ROWS[0] | change, ROWS[1]]) != content_sha256(ROWS)


def test_an_unknown_number_is_an_unknown_number():
    assert content_sha256([ROWS[0] | {"gap": float("nan")}, ROWS[1]]) == content_sha256(ROWS)
