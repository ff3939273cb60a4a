"""The embedded dataset `ecd-fcc`: face-centred-cubic crystals with densities computed for this project."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..benchmark.task import Target
from .definition import DatasetFacts
from .folder import DatasetFolder, read_manifest

PACKAGED = Path(__file__).parent / "data" / "ecd-fcc"

TARGETS = (
    Target("k_vrh", "GPa", "bulk modulus (Voigt-Reuss-Hill average)"),
    Target("formation_energy_per_atom", "eV/atom", "formation energy per atom from the elements"),
    Target("band_gap", "eV", "PBE band gap, computed with the density (0 for a metal)"),
    Target("total_magnetization", "muB", "total magnetic moment per primitive cell"),
)

FACTS = DatasetFacts(
    id="ecd-fcc",
    title="(111) slices of the electron density of face-centred-cubic crystals",
    targets=TARGETS,
    channels=("total", "spin", "deformation"),
    text_tiers=("single", "key", "all"),
    schemes=("official", "grouped"),
    group="chemical system",
    provenance=(
        "densities, band gap and magnetization: GPAW 26.7.0, PBE, plane waves, on Materials Project structures; "
        "bulk modulus and formation energy: published tables of Materials Project values, named per row"
    ),
    license="CC-BY-4.0",
    citation="Massa, Papanikolaou and Sankowski, arXiv:2401.09301; Jain et al., APL Mater. 1, 011002 (2013)",
)


def manifest(data_dir: Path) -> dict[str, Any]:
    """The packaged manifest."""
    return read_manifest(PACKAGED)


def presence(data_dir: Path) -> str:
    """The dataset is part of the package."""
    return "packaged"


def open_dataset(data_dir: Path) -> DatasetFolder:
    """Open and check the packaged dataset.

    Raises:
        DataError: a file of the package was changed.
    """
    return DatasetFolder(PACKAGED, "Reinstall ecdbench to get the packaged files back.")
