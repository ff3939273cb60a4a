"""Crystals as a build handles them: the record, the interface of a density source, and checks of what it returns."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

import numpy as np

from ...benchmark.errors import DataError, ServiceError
from ..composition import parse_formula
from .densities import Volume
from .reduction import outside_cores

# The space groups of cubic crystals with an F-centred lattice.
FCC_SPACEGROUPS = (196, 202, 203, 209, 210, 216, 219, 225, 226, 227, 228)
# Angstrom; the tolerance that the Materials Project uses for relaxed structures.
_SYMMETRY_TOLERANCE = 0.1
_COMPOSITION_TOLERANCE = 1e-3
# No crystal lies outside of these: A^3 per atom, A between sites.
_VOLUME_PER_ATOM, _SHORTEST = (1.0, 1000.0), 0.4
# Electrons in the density: per electron in the outer shell of its atoms, in a cell, and per proton.
_FEWEST_OF_OUTER, _FEWEST_OF_CELL, _MOST_OF_PROTONS = 0.5, 0.9, 1.01
# How negative a density may be, further than `CORE_RADIUS` from every nucleus, in units of its largest value there.
_MOST_NEGATIVE = 0.1
_UNITS = "a CHGCAR holds the density times the cell volume, a cube or xsf file e/Bohr^3, an npz e/A^3"
# The kind of failure of a density that cannot be used.
BROKEN_DENSITY = "broken density"
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")


@dataclass(frozen=True)
class Crystal:
    """A crystal that is to become a row of a dataset.

    Attributes:
        id: the row's id; letters, digits, hyphens.
        properties: values of the dataset's property columns; None where unknown.
        formula: as the source writes it; None takes the reduced formula of the density's structure.
        spacegroup: international number; None determines it from the density's structure.
        known_text: a full description and the `structure_hash` of the structure it describes, where one exists.
    """

    id: str
    properties: Mapping[str, Any] = field(default_factory=dict)
    formula: str | None = None
    spacegroup: int | None = None
    known_text: tuple[str, str] | None = None


class CrystalError(DataError):
    """This crystal cannot become a row; others can.

    Attributes:
        kind: the category it is counted under, such as `no density`, `broken density`, `not cubic` or `no text`.
    """

    def __init__(self, kind: str, reason: str) -> None:
        super().__init__(reason)
        self.kind = kind

    def __reduce__(self) -> tuple[type, tuple[str, str]]:
        return type(self), (self.kind, str(self))


class BusyError(ServiceError):
    """The source is not answering at the moment; worth another try later."""


class Source(Protocol):
    """Where densities come from. It is sent to worker processes, so it must be picklable."""

    def density(self, crystal: Crystal) -> Volume:
        """The density of one crystal.

        Raises:
            CrystalError: it has none, or a broken one.
            BusyError: the source did not answer despite retries.
            EcdbenchError: the source is unusable, for example because it rejects the key.
        """
        ...

    def version(self, crystal: Crystal) -> str:
        """A string that changes when the source has another density for this crystal; cheap to compute."""
        ...


def check_id(sample_id: str, where: object) -> None:
    """Refuse an id that cannot name files. Raises DataError, which begins with `where`."""
    if not _ID.fullmatch(sample_id):
        raise DataError(
            f"{where} has the id '{sample_id}'; an id consists of at most 100 letters, digits, hyphens, dots and _."
        )


class Symmetry(NamedTuple):
    """What symmetry analysis says of a structure: reduced formula, space group number, primitive cell volume (A^3)."""

    formula: str
    spacegroup: int
    primitive_volume: float


def analyze_symmetry(structure: Any) -> Symmetry:
    """Determine formula, space group and primitive cell of a pymatgen `Structure`.

    Raises:
        CrystalError: it has none.
    """
    from pymatgen.symmetry.analyzer import SpacegroupAnalyzer, SymmetryUndeterminedError

    try:
        analyzer = SpacegroupAnalyzer(structure, symprec=_SYMMETRY_TOLERANCE)
    except SymmetryUndeterminedError as error:
        raise CrystalError(BROKEN_DENSITY, "its symmetry cannot be determined; check its sites") from error
    primitive = analyzer.find_primitive() or structure
    return Symmetry(structure.composition.reduced_formula, analyzer.get_space_group_number(), float(primitive.volume))


def check_cubic(volume: Volume, symmetry: Symmetry) -> None:
    """Reject a crystal that is not face-centred cubic, or whose density is that of a supercell.

    Raises:
        CrystalError: it has another lattice.
    """
    try:
        cells = round(abs(np.linalg.det(volume.cube_matrix)))  # cells in the conventional cube: 4, or 1
    except DataError as error:
        raise CrystalError("not cubic", str(error)) from error
    if symmetry.spacegroup not in FCC_SPACEGROUPS:
        raise CrystalError("not cubic", f"its space group is {symmetry.spacegroup}, which is not cubic F-centred")
    if abs(cells * volume.cell_volume / (4 * symmetry.primitive_volume) - 1) > 0.05:
        raise CrystalError("not cubic", "its cell is a supercell; give the density of the primitive or the cubic cell")


def check_sites(structure: Any) -> None:
    """Reject a pymatgen `Structure` that no crystal has.

    Raises:
        CrystalError: its cell is far too large or small, or two of its sites are at one place.
    """
    volume = structure.volume / len(structure)
    if not _VOLUME_PER_ATOM[0] <= volume <= _VOLUME_PER_ATOM[1]:  # NaN, too
        raise CrystalError(BROKEN_DENSITY, f"its cell has {volume:.3g} A^3 per atom; lengths must be in Angstrom")
    if not np.isfinite(structure.frac_coords).all() or not structure.is_valid(_SHORTEST):
        raise CrystalError(
            BROKEN_DENSITY,
            f"two of its sites are closer than {_SHORTEST} A, or a coordinate is not a number; correct them",
        )


def check_density(volume: Volume) -> None:
    """Reject a density that its atoms cannot have, or that is none.

    Raises:
        CrystalError: it is one.
    """
    check_sites(volume.structure)
    electrons, protons = volume.integral("total"), int(volume.numbers.sum())
    # An electron localisation function is at most 1 everywhere, so it integrates to less than one electron.
    fewest = max(_FEWEST_OF_OUTER * sum(map(_outer_electrons, volume.numbers.tolist())), _FEWEST_OF_CELL)
    if not fewest <= electrons <= _MOST_OF_PROTONS * protons:
        raise CrystalError(
            BROKEN_DENSITY,
            f"its values integrate to {electrons:.4g} electrons for {volume.structure.composition.reduced_formula} "
            f"({len(volume.numbers)} atoms, {protons} protons); {_UNITS}, and an ELFCAR or LOCPOT is no density",
        )
    outside = volume.channels["total"][outside_cores(volume)]
    if outside.min(initial=0) < -_MOST_NEGATIVE * outside.max(initial=0):
        raise CrystalError(
            BROKEN_DENSITY,
            f"it falls to {outside.min():.3g} e/A^3 between the atoms; a potential or a difference is no density",
        )
    if np.ptp(volume.channels["total"]) == 0:
        raise CrystalError(BROKEN_DENSITY, "its density is the same at every point")


def _outer_electrons(number: int) -> int:
    """How many electrons every pseudopotential of an element has: those outside of its closed shells.

    Those of f shells, and of the d shell of zinc, cadmium and mercury, may be in the core.
    """
    from pymatgen.core import Element

    group = int(Element.from_Z(number).group)
    return 2 if number == 2 else group if group < 12 else group - 10


def check_composition(volume: Volume, symmetry: Symmetry, formula: str) -> None:
    """Reject the density of a crystal of another formula.

    Args:
        volume: the density.
        symmetry: of its structure.
        formula: the formula that the row will state.

    Raises:
        CrystalError: it is one.
    """
    from pymatgen.core import Element

    sites = Counter(Element.from_Z(int(number)).symbol for number in volume.numbers)
    amounts = parse_formula(formula)
    total = sum(amounts.values())
    shares = {symbol: amount / total for symbol, amount in amounts.items()}
    if any(abs(shares.get(s, 0) - sites[s] / len(volume.numbers)) > _COMPOSITION_TOLERANCE for s in {*shares, *sites}):
        raise CrystalError("wrong formula", f"the table says {formula}, but the density is that of {symmetry.formula}")
