"""The dataset `mp-fcc`: face-centred-cubic crystals of the Materials Project with their densities.

It is built from the Materials Project with the user's own key (`ecdbench build mp-fcc`), and not packaged.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..benchmark.errors import DataError
from ..benchmark.task import Target
from .definition import DatasetFacts
from .folder import MANIFEST, DatasetFolder, read_manifest

TARGETS = (
    Target("k_vrh", "GPa", "bulk modulus (Voigt-Reuss-Hill average)"),
    Target("formation_energy_per_atom", "eV/atom", "formation energy per atom from the elements"),
    Target("band_gap", "eV", "band gap (0 for a metal)"),
    Target("total_magnetization", "muB", "total magnetic moment per cell"),
)

FACTS = DatasetFacts(
    id="mp-fcc",
    title="(111) slices of the electron density of face-centred-cubic crystals of the Materials Project",
    targets=TARGETS,
    channels=("spin", "total"),
    text_tiers=("single", "key", "all"),
    schemes=("official", "grouped"),
    group="chemical system",
    provenance="densities and properties: Materials Project (VASP, PBE and PBE+U), static calculations",
    license="CC-BY-4.0",
    citation="Massa, Papanikolaou and Sankowski, arXiv:2401.09301; Jain et al., APL Mater. 1, 011002 (2013)",
)


def folder_in(data_dir: Path) -> Path:
    """Where the dataset is looked for."""
    return data_dir / FACTS.id


def manifest(data_dir: Path) -> dict[str, Any] | None:
    """The manifest of the built dataset, or None."""
    return read_manifest(folder_in(data_dir)) if presence(data_dir) == "present" else None


def presence(data_dir: Path) -> str:
    """Whether the dataset was built."""
    return "present" if (folder_in(data_dir) / MANIFEST).is_file() else "needs building"


def open_dataset(data_dir: Path) -> DatasetFolder:
    """Open and check the built dataset.

    Raises:
        DataError: it was not built yet, or its files were changed.
    """
    folder = folder_in(data_dir)
    if presence(data_dir) != "present":
        raise DataError(
            f"mp-fcc is not in {folder}. Build it with your Materials Project key (`ecdbench build mp-fcc`), or give "
            "the folder of a built one (--task FOLDER/k_vrh) or a published one (--task ORG/NAME@COMMIT/k_vrh)."
        )
    return DatasetFolder(folder, "Build it again: `ecdbench build mp-fcc`.")
