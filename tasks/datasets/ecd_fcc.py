"""The embedded dataset `ecd-fcc`: face-centred-cubic crystals with densities computed for this project."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ...benchmark.columns import Column
from ...benchmark.task import Target
from . import DatasetFacts
from .crystals import crystal_columns
from .folder import FolderDefinition
from .mp_fcc import FORMATION_ENERGY, K_VRH
from .mp_fcc import PROPERTIES as PAPER_PROPERTIES

PACKAGED = Path(__file__).parents[1] / "data" / "ecd-fcc"
CHANNELS = ("total", "spin", "deformation")

G_VRH = Target("g_vrh", "GPa", "shear modulus (Voigt-Reuss-Hill average)")
BAND_GAP = Target("band_gap", "eV", "PBE band gap, computed with the density (0 for a metal)")
MAGNETIZATION = Target("total_magnetization", "muB", "total magnetic moment per primitive cell")
IS_METAL = Target("is_metal", "", "whether the crystal is a metal (its PBE band gap is zero)", "classification")

# Tabulated and computed values of one quantity are two columns; the tabulated ones are called `<name>_mp`.
_COMPUTED_TOO = ("band_gap", "total_magnetization")
_TARGETED = ("k_vrh", "g_vrh", "formation_energy_per_atom")
# What else the paper's table says of a crystal, where it is one of the paper's.
TABULATED = tuple(
    replace(
        column,
        name=f"{column.name}_mp" if column.name in _COMPUTED_TOO else column.name,
        kind="number",
        role="property",
        description=f"{column.description}, as tabulated by the Materials Project",
    )
    for column in PAPER_PROPERTIES
    if column.name not in (*_TARGETED, "nsites")
)
PROPERTIES = (
    K_VRH.column(),
    Column("k_vrh_source", "string", description="where k_vrh was tabulated"),
    G_VRH.column(),
    Column("g_vrh_source", "string", description="where g_vrh was tabulated"),
    FORMATION_ENERGY.column(),
    Column("formation_energy_per_atom_source", "string", description="where formation_energy_per_atom was tabulated"),
    BAND_GAP.column(),
    Column("band_gap_mp_source", "string", description="where band_gap_mp was tabulated"),
    MAGNETIZATION.column(),
    IS_METAL.column("boolean"),
    Column("fermi_energy", "number", unit="eV", description="Fermi energy relative to GPAW's zero"),
    Column(
        "energy_rel_atoms",
        "number",
        unit="eV",
        description="energy per primitive cell relative to GPAW's reference atoms",
    ),
    *TABULATED,
)

FACTS = DatasetFacts(
    id="ecd-fcc",
    title="electron densities of face-centred-cubic crystals",
    columns=crystal_columns(CHANNELS, PROPERTIES),
    targets=(K_VRH, G_VRH, FORMATION_ENERGY, BAND_GAP, MAGNETIZATION, IS_METAL),
    group="chemical system",
    provenance=(
        "densities, band gap and magnetization: GPAW 26.7.0, PBE, plane waves, on Materials Project structures; "
        "moduli and formation energy: published tables of Materials Project values, named per row"
    ),
    license="CC-BY-4.0",
    citation="Massa, Papanikolaou and Sankowski, arXiv:2401.09301; Jain et al., APL Mater. 1, 011002 (2013)",
)

DATASET = FolderDefinition(PACKAGED, "Reinstall ecdbench to get the packaged files back.", "packaged")
