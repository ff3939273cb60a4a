"""Is a density that of the crystal that its row will name: face-centred cubic, one cell of it, of that formula?"""

from __future__ import annotations

from collections import Counter
from typing import Any

from ...benchmark.formula import parse_formula
from .material import MaterialError
from .volume import Volume

# The space groups of cubic crystals with an F-centred lattice.
FCC = (196, 202, 203, 209, 210, 216, 219, 225, 226, 227, 228)
# A, as the Materials Project takes it: computed structures are symmetric to about this.
_TOLERANCE = 0.1
_SHARE = 1e-3


def look_at(structure: dict[str, Any]) -> tuple[str, int, float]:
    """Reduced formula, number of the space group, and volume of the primitive cell (A^3) of a pymatgen dict."""
    from pymatgen.core import Structure
    from pymatgen.symmetry.analyzer import SpacegroupAnalyzer

    crystal = Structure.from_dict(structure)
    analyzer = SpacegroupAnalyzer(crystal, symprec=_TOLERANCE)
    primitive = analyzer.find_primitive() or crystal
    return crystal.composition.reduced_formula, analyzer.get_space_group_number(), float(primitive.volume)


def check_crystal(volume: Volume, edge: float, found: tuple[str, int, float], formula: str) -> None:
    """Refuse a density that is not that of a face-centred-cubic crystal of this formula.

    Args:
        volume: the density.
        edge: of the cube that its slices refer to, A.
        found: what `look_at` says of its structure.
        formula: what the row will say.

    Raises:
        MaterialError: another lattice, a supercell, another formula, or a density without electrons.
    """
    _, spacegroup, primitive = found
    if spacegroup not in FCC:
        raise MaterialError("not cubic", f"its space group is {spacegroup}, which is not cubic F-centred")
    if abs(edge**3 / (4 * primitive) - 1) > 0.05:
        raise MaterialError("not cubic", "its cell is a supercell; give the density of the primitive or the cubic cell")
    if volume.integral("total") <= 0:
        raise MaterialError("broken density", "its density integrates to no electron at all")
    from pymatgen.core import Element

    sites = Counter(Element.from_Z(int(number)).symbol for number in volume.numbers)
    amounts = parse_formula(formula)
    total = sum(amounts.values())
    shares = {symbol: amount / total for symbol, amount in amounts.items()}
    if any(abs(shares.get(s, 0) - sites[s] / len(volume.numbers)) > _SHARE for s in {*shares, *sites}):
        raise MaterialError("wrong formula", f"the table says {formula}, the density is that of {found[0]}")
