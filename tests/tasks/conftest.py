"""Real densities of five kinds: an element, rock salt, zincblende, half-Heusler, antifluorite."""

from pathlib import Path

import pytest
from ecdbench.tasks.builder.densities import Volume, read_volume

# Ir, Co (spin-polarised), LiZnP, MgSbPd, K2S; and the first rock salt in the folder is among the rest.
CRYSTALS = ("mp-101", "mp-102", "mp-10182", "mp-10183", "mp-1022")


@pytest.fixture(scope="session", params=CRYSTALS)
def volume(request, raw_dir: Path) -> Volume:
    return read_volume(raw_dir / "densities" / f"{request.param}.npz")


@pytest.fixture(scope="session")
def zincblende(raw_dir: Path) -> Volume:
    return read_volume(raw_dir / "densities" / "mp-10182.npz")
