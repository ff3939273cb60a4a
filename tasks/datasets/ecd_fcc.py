"""The embedded dataset `ecd-fcc`: face-centred-cubic crystals with densities computed for this project."""

from __future__ import annotations

from pathlib import Path

from ...benchmark.columns import Column
from ...benchmark.task import Target
from . import DatasetFacts
from .crystals import crystal_columns
from .folder import FolderDefinition

PACKAGED = Path(__file__).parents[1] / "data" / "ecd-fcc"
CHANNELS = ("total", "spin", "deformation")

K_VRH = Target("k_vrh", "GPa", "bulk modulus (Voigt-Reuss-Hill average)")
FORMATION_ENERGY = Target("formation_energy_per_atom", "eV/atom", "formation energy per atom from the elements")
BAND_GAP = Target("band_gap", "eV", "PBE band gap, computed with the density (0 for a metal)")
MAGNETIZATION = Target("total_magnetization", "muB", "total magnetic moment per primitive cell")
IS_METAL = Target("is_metal", "", "whether the crystal is a metal (its PBE band gap is zero)", "classification")
PROPERTIES = (
    K_VRH.column(),
    FORMATION_ENERGY.column(),
    BAND_GAP.column(),
    Column("band_gap_mp", "number", unit="eV", description="gap as tabulated by the Materials Project"),
    MAGNETIZATION.column(),
    Column("g_vrh", "number", unit="GPa", description="shear modulus"),
    Column("poisson_ratio", "number", description="Poisson ratio"),
    Column("e_above_hull", "number", unit="eV/atom", description="energy above the convex hull"),
    Column("fermi_energy", "number", unit="eV", description="Fermi energy relative to GPAW's zero"),
    Column(
        "energy_rel_atoms",
        "number",
        unit="eV",
        description="energy per primitive cell relative to GPAW's reference atoms",
    ),
    Column("k_vrh_source", "string", description="where k_vrh was tabulated"),
    Column("formation_energy_per_atom_source", "string", description="where formation_energy_per_atom was tabulated"),
    Column("band_gap_mp_source", "string", description="where band_gap_mp was tabulated"),
    IS_METAL.column("boolean"),
)

FACTS = DatasetFacts(
    id="ecd-fcc",
    title="(111) slices of the electron density of face-centred-cubic crystals",
    columns=crystal_columns(CHANNELS, PROPERTIES),
    targets=(K_VRH, FORMATION_ENERGY, BAND_GAP, MAGNETIZATION, IS_METAL),
    group="chemical system",
    provenance=(
        "densities, band gap and magnetization: GPAW 26.7.0, PBE, plane waves, on Materials Project structures; "
        "bulk modulus and formation energy: published tables of Materials Project values, named per row"
    ),
    license="CC-BY-4.0",
    citation="Massa, Papanikolaou and Sankowski, arXiv:2401.09301; Jain et al., APL Mater. 1, 011002 (2013)",
)

DATASET = FolderDefinition(PACKAGED, "Reinstall ecdbench to get the packaged files back.", "packaged")
