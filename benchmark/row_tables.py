"""Tables of rows of a task of which each row is read and encoded once, however many fits are handed it."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from .task import ROWS_IN_MEMORY, TaskData

if TYPE_CHECKING:
    from datasets import Dataset


class RowTables:
    """Makes tables of some rows.

    Args:
        data: the task.
        ids: all rows that may be asked for.
    """

    def __init__(self, data: TaskData, ids: Sequence[str]) -> None:
        self._data, self._ids = data, list(ids)

    def table(
        self, ids: Sequence[str], targets: np.ndarray | None = None, names: Mapping[str, str] | None = None
    ) -> Dataset:
        """What `TaskData.table` makes of them; a copy, which holds no other rows."""
        if len(self._ids) > ROWS_IN_MEMORY or not ids:
            return self._data.table(ids, targets, names)
        import pyarrow as pa
        from datasets import Dataset, DatasetInfo, Value

        whole, features = self._whole.data.table, self._whole.features.copy()
        rows = whole.take(pa.array([self._positions[sample_id] for sample_id in ids]))
        if names is not None:
            rows = rows.set_column(0, "id", pa.array([names[sample_id] for sample_id in ids]))
        if targets is not None:
            rows, features = rows.append_column("target", pa.array(targets)), {**features, "target": Value("float64")}
        info = DatasetInfo(features=type(self._whole.features)(features))
        return self._data.formatted(Dataset(rows, info, fingerprint=uuid.uuid4().hex), targets is not None)

    @cached_property
    def _whole(self) -> Dataset:
        return self._data.table(self._ids)

    @cached_property
    def _positions(self) -> dict[str, int]:
        return {sample_id: position for position, sample_id in enumerate(self._ids)}
