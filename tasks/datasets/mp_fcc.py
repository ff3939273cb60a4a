"""The dataset `mp-fcc`: face-centred-cubic crystals of the Materials Project with their densities.

It is built from the Materials Project with the user's own key (`ecdbench build mp-fcc`), and not packaged.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ...benchmark.columns import Column
from ...benchmark.errors import DataError
from ...benchmark.task import Target
from . import DatasetFacts
from .crystals import crystal_columns
from .folder import DatasetFolder
from .manifest import MANIFEST, read_manifest

CHANNELS = ("spin", "total")

K_VRH = Target("k_vrh", "GPa", "bulk modulus (Voigt-Reuss-Hill average)")
FORMATION_ENERGY = Target("formation_energy_per_atom", "eV/atom", "formation energy per atom from the elements")
BAND_GAP = Target("band_gap", "eV", "band gap (0 for a metal)")
MAGNETIZATION = Target("total_magnetization", "muB", "total magnetic moment per cell")
# The 25 properties of Table 11 of arXiv 2401.09301, under the paper's names.
PROPERTIES = (
    Column("nsites", "integer", description="atoms in the cell"),
    Column("nelements", "integer", description="different elements"),
    Column("volume", "number", unit="A^3", description="volume of the cell"),
    Column("density", "number", unit="g/cm^3", description="mass density"),
    Column("density_atomic", "number", unit="A^3", description="volume per atom"),
    Column("uncorrected_energy_per_atom", "number", unit="eV/atom", description="total energy as computed"),
    Column("energy_per_atom", "number", unit="eV/atom", description="total energy with corrections"),
    FORMATION_ENERGY.column(),
    Column(
        "energy_above_hull",
        "number",
        unit="eV/atom",
        description="energy above the convex hull; 0 for a stable crystal",
    ),
    Column(
        "equilibrium_reaction_energy_per_atom",
        "number",
        unit="eV/atom",
        description="reaction energy from neighbours on the hull",
    ),
    BAND_GAP.column(),
    Column("efermi", "number", unit="eV", description="Fermi energy"),
    MAGNETIZATION.column(),
    Column("total_magnetization_normalized_vol", "number", unit="muB/A^3", description="magnetic moment per volume"),
    Column(
        "total_magnetization_normalized_formula_units",
        "number",
        unit="muB",
        description="magnetic moment per formula unit",
    ),
    Column("num_magnetic_sites", "integer", description="atoms with a magnetic moment"),
    Column("num_unique_magnetic_sites", "integer", description="inequivalent atoms with a magnetic moment"),
    Column("k_voigt", "number", unit="GPa", description="bulk modulus, Voigt average"),
    Column("k_reuss", "number", unit="GPa", description="bulk modulus, Reuss average"),
    K_VRH.column(),
    Column("g_voigt", "number", unit="GPa", description="shear modulus, Voigt average"),
    Column("g_reuss", "number", unit="GPa", description="shear modulus, Reuss average"),
    Column("g_vrh", "number", unit="GPa", description="shear modulus, Voigt-Reuss-Hill average"),
    Column("universal_anisotropy", "number", description="universal elastic anisotropy"),
    Column("homogeneous_poisson", "number", description="Poisson ratio"),
)

FACTS = DatasetFacts(
    id="mp-fcc",
    title="electron densities of face-centred-cubic crystals of the Materials Project",
    columns=crystal_columns(CHANNELS, PROPERTIES),
    targets=(K_VRH, FORMATION_ENERGY, BAND_GAP, MAGNETIZATION),
    group="chemical system",
    provenance="densities and properties: Materials Project (VASP, PBE and PBE+U), static calculations",
    license="CC-BY-4.0",
    citation="Massa, Papanikolaou and Sankowski, arXiv:2401.09301; Jain et al., APL Mater. 1, 011002 (2013)",
)


class MaterialsProjectFcc:
    """The definition of `mp-fcc`: a folder in the data folder, once it is built."""

    facts = FACTS

    def folder_in(self, data_dir: Path) -> Path:
        """Where the dataset is looked for."""
        return data_dir / FACTS.id

    def manifest(self, data_dir: Path) -> dict[str, Any] | None:
        """The manifest of the built dataset, or None."""
        return read_manifest(self.folder_in(data_dir)) if self.presence(data_dir) == "present" else None

    def presence(self, data_dir: Path) -> str:
        """Whether the dataset was built."""
        return "present" if (self.folder_in(data_dir) / MANIFEST).is_file() else "needs building"

    def open(self, data_dir: Path) -> DatasetFolder:
        """Open the built dataset.

        Raises:
            DataError: it has not been built yet.
        """
        folder = self.folder_in(data_dir)
        if self.presence(data_dir) != "present":
            raise DataError(
                f"mp-fcc is not in {folder}. Build it with your Materials Project key (`ecdbench build mp-fcc`), or "
                "give the folder of a built one (--task FOLDER/k_vrh) or a published one (--task "
                "ORG/NAME@COMMIT/k_vrh)."
            )
        return DatasetFolder(folder, "Build it again: `ecdbench build mp-fcc`.")
