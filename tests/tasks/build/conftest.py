"""Real densities of five kinds: an element, rock salt, zincblende, half-Heusler, antifluorite."""

from pathlib import Path

import pytest
from ecdbench.tasks.build.volume import Volume, read_volume

# Ir, Co (spin-polarised), LiZnP, MgSbPd, K2S; and the first rock salt in the folder is among the rest.
MATERIALS = ("mp-101", "mp-102", "mp-10182", "mp-10183", "mp-1022")


@pytest.fixture(scope="session", params=MATERIALS)
def volume(request, raw_dir: Path) -> Volume:
    return read_volume(raw_dir / "densities" / f"{request.param}.npz")


@pytest.fixture(scope="session")
def zincblende(raw_dir: Path) -> Volume:
    return read_volume(raw_dir / "densities" / "mp-10182.npz")


def as_chgcar(volume: Volume, spin: bool = True):
    """The same density as a pymatgen Chgcar."""
    from pymatgen.core import Structure
    from pymatgen.io.vasp import Chgcar, Poscar

    structure = Structure(volume.lattice, volume.numbers, volume.frac_coords)
    data = {"total": volume.channels["total"].astype(float) * volume.cell_volume}
    if spin:
        data["diff"] = volume.channels["spin"].astype(float) * volume.cell_volume
    return Chgcar(Poscar(structure), data)
