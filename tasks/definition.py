"""What every dataset module provides: its facts, and how its rows and targets are read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from ..benchmark.task import Target


@dataclass(frozen=True)
class DatasetFacts:
    """What is known of a dataset without opening it.

    Attributes:
        id: short name.
        title: one line.
        targets: its targets; a dataset with one target gives a task of its own name.
        channels: density channels, the default first.
        text_tiers: text tiers it offers.
        schemes: split schemes, the official first.
        group: what the grouped scheme keeps together.
        provenance: where rows and targets come from.
        license: license of the data.
        citation: what to cite.
    """

    id: str
    title: str
    targets: tuple[Target, ...]
    channels: tuple[str, ...]
    text_tiers: tuple[str, ...]
    schemes: tuple[str, ...]
    group: str
    provenance: str
    license: str
    citation: str


class OpenDataset(Protocol):
    """A dataset whose content was checked against its hashes."""

    def rows(self, channel: str, text: str) -> Mapping[str, Mapping[str, Any]]:
        """Inputs by id: `image` (PNG bytes) and, where there are any, `density`, `text`, `formula`."""
        ...

    def targets(self, target: str) -> dict[str, float]:
        """Values by id, of the rows that have one, read afresh."""
        ...

    def split_of(self, scheme: str) -> Mapping[str, str]:
        """Split by id."""
        ...

    def fold_of(self, scheme: str) -> Mapping[str, int]:
        """Fold by id; whole groups for the grouped scheme."""
        ...

    def groups(self) -> Mapping[str, str]:
        """Group by id."""
        ...

    def table(self) -> list[dict[str, Any]]:
        """One mapping per row: what identifies it, without inputs and targets."""
        ...


class DatasetModule(Protocol):
    """The interface of a module that defines a dataset."""

    FACTS: DatasetFacts

    def manifest(self, data_dir: Path) -> dict[str, Any] | None:
        """Version, content hashes and row counts, without opening the data; None where it is still to be built."""
        ...

    def presence(self, data_dir: Path) -> str:
        """`packaged`, `present`, `downloadable` or `needs building`."""
        ...

    def open_dataset(self, data_dir: Path) -> OpenDataset:
        """Open the data and check them. Raises DataError if absent or changed."""
        ...
