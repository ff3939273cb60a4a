"""Generate the packaged table of element properties from pymatgen: `python -m ecdbench.tasks.builder.element_table`."""

from __future__ import annotations

import csv
import io
import math
import statistics
import warnings
from pathlib import Path

from ...benchmark.storage import write_text

_PROPERTIES = {
    "atomic_number": "Z",
    "atomic_mass": "atomic_mass",
    "group": "group",
    "row": "row",
    "mendeleev_number": "mendeleev_no",
    "electronegativity": "X",
    "atomic_radius": "atomic_radius",
    "ionization_energy": "ionization_energy",
    "electron_affinity": "electron_affinity",
    "molar_volume": "molar_volume",
    "melting_point": "melting_point",
    "valence_electrons": "n_electrons_outer",
}


def _number(element: object, name: str) -> float | None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if name == "n_electrons_outer":
            shells = element.full_electronic_structure  # type: ignore[attr-defined]
            outer = max(shell[0] for shell in shells)
            return float(
                sum(s[2] for s in shells if s[0] == outer or (s[1] == "d" and s[0] == outer - 1 and s[2] < 10))
            )
        value = getattr(element, name, None)
    return None if value is None or math.isnan(float(value)) else float(value)


def element_table() -> str:
    """The table as CSV text: one row per element up to Pu; gaps are filled with the column's median."""
    from pymatgen.core import Element

    elements = [Element.from_Z(z) for z in range(1, 95)]
    columns = {ours: [_number(element, theirs) for element in elements] for ours, theirs in _PROPERTIES.items()}
    for name, values in columns.items():
        middle = statistics.median(value for value in values if value is not None)
        columns[name] = [middle if value is None else value for value in values]
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(["element", *columns])
    for index, element in enumerate(elements):
        writer.writerow([element.symbol, *(f"{values[index]:.6g}" for values in columns.values())])
    return buffer.getvalue()


if __name__ == "__main__":
    write_text(Path(__file__).parents[1] / "elements.csv", element_table())
