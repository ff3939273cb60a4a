"""Which split and fold a row belongs to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ..benchmark.task import unit_interval

FOLDS = 10
# Shares of the hash range: the paper's 70/15/15.
_BOUNDS = (("holdout", 0.15), ("validation", 0.30), ("train", 1.0))


def hashed_split(key: str) -> str:
    """The split of a crystal, or of a chemical system: 70/15/15 by hash, the same in every dataset,
    whatever other rows there are."""
    position = unit_interval("split", key)
    return next(split for split, bound in _BOUNDS if position < bound)


def hashed_fold(key: str) -> int:
    """The fold, 0 to 9, of a crystal or a chemical system, by hash."""
    return int(unit_interval("fold", key) * FOLDS)


def spread_groups(groups: Mapping[str, str], shares: Mapping[str, float], seed: str) -> dict[str, str]:
    """Deal whole groups to named parts in proportion to `shares`.

    Groups come in the order of a seeded hash; each goes to the part that is furthest below its share.

    Args:
        groups: group by id.
        shares: wanted share of the rows by part.
        seed: names the shuffle.

    Returns:
        Part by id.
    """
    members: dict[str, list[str]] = {}
    for sample_id, group in groups.items():
        members.setdefault(group, []).append(sample_id)
    filled = dict.fromkeys(shares, 0)
    parts: dict[str, str] = {}
    for group in sorted(members, key=lambda g: unit_interval(seed, g)):
        part = max(shares, key=lambda p: shares[p] * len(groups) - filled[p])
        filled[part] += len(members[group])
        parts.update(dict.fromkeys(members[group], part))
    return parts


def ids_by_split(split_of: Mapping[str, str], ids: Iterable[str], names: Iterable[str]) -> dict[str, list[str]]:
    """Turn a split per id into ids per split, keeping the order of `ids`."""
    ids = list(ids)
    return {name: [sample_id for sample_id in ids if split_of[sample_id] == name] for name in names}
