"""What a builder works on: one crystal after the other, wherever its density comes from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from ...benchmark.errors import DataError, ServiceError
from .volume import Volume


@dataclass(frozen=True)
class Material:
    """A crystal that is to become a row.

    Attributes:
        id: letters, digits, hyphens.
        properties: values of the dataset's property columns; None for an unknown one.
        formula: as the source writes it; the reduced formula of the density's structure where there is none.
        spacegroup: its number; found from the structure where there is none.
        known_text: a full description and the `structure_hash` of what it describes, where there is one already.
    """

    id: str
    properties: Mapping[str, Any] = field(default_factory=dict)
    formula: str | None = None
    spacegroup: int | None = None
    known_text: tuple[str, str] | None = None


class MaterialError(DataError):
    """One crystal cannot become a row; the others can. `kind` sorts the reasons: `no density`, `broken density`,
    `not cubic`, `no text`."""

    def __init__(self, kind: str, reason: str) -> None:
        super().__init__(reason)
        self.kind = kind

    def __reduce__(self) -> tuple[type, tuple[str, str]]:
        return type(self), (self.kind, str(self))


class BusyError(ServiceError):
    """The source does not answer now: worth another try, later."""


class Source(Protocol):
    """Where densities come from. It travels to the processes that build rows, so it can be pickled."""

    def density(self, material: Material) -> Volume:
        """The density of one crystal.

        Raises:
            MaterialError: it has none, or a broken one.
            BusyError: the source did not answer, in spite of waiting and asking again.
            EcdbenchError: nothing can be had from the source, as with a rejected key.
        """
        ...

    def state(self, material: Material) -> str:
        """What tells whether the source has another density for the crystal than it had before; cheap to ask."""
        ...
