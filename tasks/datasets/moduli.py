"""Which tabulated elastic moduli a stable crystal can have.

Moduli are positive, and the Reuss average does not exceed the Voigt average (Hill, Proc. Phys. Soc. A 65, 349 (1952)).
Where tabulated ones break that, what was computed from them means nothing either.
"""

from __future__ import annotations

from collections.abc import Mapping

BULK = ("k_voigt", "k_reuss", "k_vrh")
SHEAR = ("g_voigt", "g_reuss", "g_vrh")
FROM_BOTH = ("universal_anisotropy", "homogeneous_poisson")
ELASTIC = (*BULK, *SHEAR, *FROM_BOTH)
_ROUNDING = 1e-6  # of the tabulated averages, relative


def is_physical(name: str, values: Mapping[str, float | None]) -> bool:
    """Whether a property is none of these, or the moduli that it rests on are those of a stable crystal.

    Args:
        name: of the property.
        values: the crystal's averages by name, GPa; an unknown one (None) is not held against it.
    """
    found = {key: values.get(key) for key in (*BULK, *SHEAR)}
    positive = {key: value is None or value > 0 for key, value in found.items()}
    if name in (*BULK, *FROM_BOTH) and not all(positive[key] for key in BULK):
        return False
    if name in (*SHEAR, *FROM_BOTH):
        voigt, reuss = found["g_voigt"], found["g_reuss"]
        ordered = voigt is None or reuss is None or reuss <= voigt * (1 + _ROUNDING)
        return ordered and all(positive[key] for key in SHEAR)
    return True
