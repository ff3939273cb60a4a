from ecdbench.tasks.splits import FOLDS, hashed_fold, hashed_split, spread_groups
from hypothesis import given
from hypothesis import strategies as st


def test_known_ids_stay_where_they_are():
    """These assignments are published; a change here moves rows between splits."""
    assert [hashed_split(f"mp-{n}") for n in (22, 30, 72, 101, 149, 2534)] == [
        "train", "train", "holdout", "holdout", "validation", "train",
    ]  # fmt: skip
    assert [hashed_fold(f"mp-{n}") for n in (22, 30, 72, 101)] == [8, 1, 6, 8]


def test_shares():
    splits = [hashed_split(f"mp-{n}") for n in range(20_000)]
    assert abs(splits.count("train") / 20_000 - 0.70) < 0.01
    assert abs(splits.count("holdout") / 20_000 - 0.15) < 0.01
    folds = [hashed_fold(f"mp-{n}") for n in range(20_000)]
    assert set(folds) == set(range(FOLDS))


@given(st.dictionaries(st.integers(0, 500).map(str), st.integers(0, 30).map(str), min_size=1))
def test_groups_are_never_divided(groups):
    parts = spread_groups(groups, {"train": 0.7, "validation": 0.15, "holdout": 0.15}, "test")
    assert set(parts) == set(groups)
    for group in set(groups.values()):
        assert len({parts[key] for key in groups if groups[key] == group}) == 1


def test_groups_fill_their_shares():
    groups = {str(n): str(n // 3) for n in range(300)}
    parts = list(spread_groups(groups, {"train": 0.7, "validation": 0.15, "holdout": 0.15}, "test").values())
    assert (parts.count("train"), parts.count("validation"), parts.count("holdout")) == (210, 45, 45)
