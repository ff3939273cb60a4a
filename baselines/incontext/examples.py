"""Which training rows a question is shown with."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cached_property

import numpy as np

from ...benchmark.composition import composition_features
from ...benchmark.errors import ModelError

SELECTIONS = ("random", "stratified", "nearest")


class ExamplePool:
    """The training rows of a fit, and the choice among them.

    A choice depends on the seed and the query alone: not on the order of rows or queries, nor on which others are
    asked. A row is never an example for itself.
    """

    def __init__(self, ids: Sequence[str], targets: np.ndarray, formulas: Sequence[str] | None, seed: int) -> None:
        self._order = sorted(range(len(ids)), key=lambda row: ids[row])  # rows by id
        self._ids, self._targets, self._formulas, self._seed = ids, targets, formulas, seed

    def choose(self, shots: int, selection: str, query: str, formula: str | None) -> list[int]:
        """Rows of the training set, in the order in which they are shown.

        Args:
            shots: how many.
            selection: `random`; `stratified`: one from each of `shots` equal parts of the targets' order, shuffled;
                `nearest`: those of the most similar composition, the most similar last.
            query: id of the row that is asked for.
            formula: its formula, for `nearest`.

        Raises:
            ModelError: there are fewer rows, or no formulas.
        """
        rows = [row for row in self._order if self._ids[row] != query]
        if shots > len(rows):
            raise ModelError(f"shots={shots} is more than there are training rows ({len(rows)}); take fewer.")
        if shots == 0:
            return []
        if selection == "nearest":
            return self._nearest(rows, shots, formula)
        digest = hashlib.sha256(f"{self._seed}/{query}".encode()).digest()
        generator = np.random.default_rng(int.from_bytes(digest[:8], "big"))
        if selection == "random":
            return [rows[i] for i in generator.choice(len(rows), shots, replace=False)]
        by_target = sorted(rows, key=lambda row: self._targets[row])  # ties stay in order of id
        chosen = [int(generator.choice(part)) for part in np.array_split(np.array(by_target), shots)]
        return [chosen[i] for i in generator.permutation(shots)]

    def _nearest(self, rows: list[int], shots: int, formula: str | None) -> list[int]:
        if formula is None or self._formulas is None:
            raise ModelError("selection=nearest compares compositions, and the rows have no formula; use stratified.")
        features, mean, scale = self._compositions
        query = (composition_features([formula])[0] - mean) / scale
        distance = np.linalg.norm(features[rows] - query, axis=1).round(9)  # equal compositions are equally near
        return [rows[i] for i in np.argsort(distance, kind="stable")[:shots][::-1]]

    @cached_property
    def _compositions(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        assert self._formulas is not None
        features = composition_features(self._formulas)
        mean, scale = features.mean(axis=0), features.std(axis=0)
        scale[scale == 0] = 1.0
        return (features - mean) / scale, mean, scale
