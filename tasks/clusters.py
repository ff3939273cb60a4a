"""Out of distribution: whole clusters of crystals are held out, one after another, and predicted from all others.

Clusters are those of MatFold where it has them (Witman and Schindler, Digital Discovery 4, 625 (2025)): `element`
holds out every row that contains the element, `spacegroup` a space group, `chemical_system` a tenth of the sets of
elements.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil
from types import MappingProxyType

from ..benchmark.errors import DataError
from ..benchmark.protocols import Fit, Protocol
from ..benchmark.task import TaskData, unit_interval
from .composition import parse_formula

# A smaller cluster says little, and one that is more than half of the rows leaves too little to learn from.
_FEWEST_ROWS, _LARGEST_SHARE = 5, 0.5
_PARTS = 10  # that chemical systems are dealt to
_TOP = 0.1  # the share of the rows with the largest targets


class LeaveClusterOut(Protocol):
    """Each cluster of train and validation rows is predicted from the others; the holdout is untouched.

    A row that lies in several clusters, as with elements, is predicted and scored in each. `target` holds out the tenth
    of the rows with the largest targets.
    """

    name = "leave-cluster-out"
    help = "whole clusters held out, by element, spacegroup, prototype, chemical_system or target"
    main_split = "out-of-cluster"
    reads_folds = True
    overlaps = True
    recurs = True
    options = MappingProxyType({"by": ("element", "spacegroup", "prototype", "chemical_system", "target")})
    order = 40

    def fits(self, data: TaskData) -> list[Fit]:
        """One fit per cluster. A tenth of the other rows, a fold, is for early stopping."""
        pool = [*data.splits["train"], *data.splits["validation"]]
        clusters = self._clusters(data, pool)
        fits = []
        for number, (label, held_out) in enumerate(sorted(clusters.items())):
            others = [m for m in pool if m not in held_out]
            folds = sorted({data.folds[m] for m in others})
            watched = folds[number % len(folds)]
            train = [m for m in others if data.folds[m] != watched]
            validation = [m for m in others if data.folds[m] == watched]
            predicted = {self.main_split: [m for m in pool if m in held_out]}
            fits.append(Fit(number, train, validation, predicted, label=label))
        return fits

    def describe(self, fits: int) -> str:
        """Names the clusters."""
        by = str(self.option("by"))
        words = {"target": "the largest tenth of the targets", "chemical_system": f"chemical systems in {fits} parts"}
        return f"{words.get(by, f'{fits} clusters by {by}')} held out"

    def _clusters(self, data: TaskData, pool: Sequence[str]) -> Mapping[str, frozenset[str]]:
        by = str(self.option("by"))
        labels = _top_of_target(data, pool) if by == "target" else _labels(by, data, pool)
        found: dict[str, set[str]] = {}
        for sample_id, names in labels.items():
            for name in names:
                found.setdefault(name, set()).add(sample_id)
        kept = {
            name: frozenset(members)
            for name, members in found.items()
            if _FEWEST_ROWS <= len(members) <= _LARGEST_SHARE * len(pool)
        }
        if not kept:
            raise DataError(
                f"{data.task.id} has no clusters by {by} of at least {_FEWEST_ROWS} and at most half of its "
                f"{len(pool)} rows; choose another --by."
            )
        return kept


def _labels(by: str, data: TaskData, pool: Sequence[str]) -> Mapping[str, list[str]]:
    """The clusters of each row."""
    columns = {"element": ["formula"], "spacegroup": ["spacegroup"], "chemical_system": ["formula"]}
    needed = columns.get(by, ["formula", "spacegroup"])
    if missing := [name for name in needed if name not in data.dataset.columns]:
        raise DataError(f"{data.task.dataset} has no column {missing[0]} to make clusters by; choose another --by.")
    cells = data.dataset.read(needed, pool)
    found = {}
    for sample_id in pool:
        row = {name: cells[name][sample_id] for name in needed}
        if any(value is None for value in row.values()):
            raise DataError(f"{sample_id} has no {needed[-1]} to make clusters by; choose another --by.")
        amounts = parse_formula(row["formula"]) if "formula" in row else {}
        found[sample_id] = {
            "element": sorted(amounts),
            "chemical_system": [_part("-".join(sorted(amounts)))],
            "spacegroup": [str(row.get("spacegroup"))],
            "prototype": [f"{_anonymous(amounts)}, {row.get('spacegroup')}"],
        }[by]
    return found


def _part(system: str) -> str:
    """One of ten parts, by hash: nearly every crystal has a chemical system of its own."""
    return f"part {int(unit_interval('part', system) * _PARTS) + 1:02}"


def _anonymous(amounts: Mapping[str, float]) -> str:
    """A formula without its elements, as in `AB2`, the smallest amount first."""
    ordered = sorted(amounts.values())
    least = ordered[0] if ordered else 1.0
    return "".join(
        f"{chr(ord('A') + number)}{'' if amount == least else f'{amount / least:.4g}'}"
        for number, amount in enumerate(ordered)
    )


def _top_of_target(data: TaskData, pool: Sequence[str]) -> Mapping[str, list[str]]:
    targets = data.read_targets(pool)
    highest = sorted(pool, key=lambda sample_id: (targets[sample_id], sample_id))[-ceil(_TOP * len(pool)) :]
    return {sample_id: ["largest tenth"] for sample_id in highest}
