"""The blueprint of a dataset: its facts, and which crystals it takes."""

from __future__ import annotations

from dataclasses import dataclass

from ..datasets import DatasetFacts


@dataclass(frozen=True)
class Blueprint:
    """How rows are made, and how the dataset describes them.

    Attributes:
        facts: what the manifest states about the dataset.
        notes: template of the card's section on sources and limits, in `tasks/data/templates`.
    """

    facts: DatasetFacts
    notes: str = "user-folder"

    @property
    def is_cubic(self) -> bool:
        """Whether only cubic F-centred crystals are taken."""
        return any(column.name == "cube" for column in self.facts.columns)

    @property
    def density_channels(self) -> list[str]:
        """The channels that are stored."""
        names = (column.name for column in self.facts.columns)
        return [name.removeprefix("structure_factors_") for name in names if name.startswith("structure_factors_")]
