"""Real densities of five kinds: an element, rock salt, zincblende, half-Heusler, antifluorite."""

import copy
import importlib.metadata
import json
from pathlib import Path

import pytest
from ecdbench.tasks.builder.densities import Volume, read_volume
from ecdbench.tasks.datasets import ecd_fcc

from ...servers.materials_project import BUCKET, density_key, mp_servers

# Ir, Co (spin-polarised), LiZnP, MgSbPd, K2S; and the first rock salt in the folder is among the rest.
CRYSTALS = ("mp-101", "mp-102", "mp-10182", "mp-10183", "mp-1022")


@pytest.fixture(scope="session", params=CRYSTALS)
def volume(request, raw_dir: Path) -> Volume:
    return read_volume(raw_dir / "densities" / f"{request.param}.npz")


@pytest.fixture(scope="session")
def zincblende(raw_dir: Path) -> Volume:
    return read_volume(raw_dir / "densities" / "mp-10182.npz")


@pytest.fixture(scope="session")
def mp_session(raw_dir: Path):
    """A Materials Project of twelve small crystals, shared by tests; use `mp`."""
    by_size = sorted((raw_dir / "densities").glob("*.npz"), key=lambda path: path.stat().st_size)
    with mp_servers(raw_dir, [path.stem for path in by_size[:12]]) as project:
        yield project


@pytest.fixture
def mp(mp_session, monkeypatch, tmp_path):
    """The Materials Project, restored after each test; clients in this process are pointed at it."""
    for name, value in mp_session.environment.items():
        monkeypatch.setenv(name, value)
    seed_descriptions(tmp_path / "cache")
    documents = copy.deepcopy(mp_session.documents)
    files = {}

    def put(sample_id: str, body: bytes) -> None:
        key = density_key(sample_id)
        files.setdefault(sample_id, mp_session.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read())
        put_density(sample_id, body)

    put_density, mp_session.put_density = mp_session.put_density, put
    for server in (mp_session.rest, mp_session.store):
        server.log.clear()
        server.headers.clear()
        server.injected.clear()
    yield mp_session
    mp_session.put_density = put_density
    for server in (mp_session.rest, mp_session.store):
        server.share = 0.0
        server.always.clear()
    mp_session.documents.clear()
    mp_session.documents.update(documents)
    for sample_id, body in files.items():
        put_density(sample_id, body)


def seed_descriptions(cache: Path) -> None:
    """Fill the cache of descriptions from the packaged ones, so that a test need not generate them."""
    store = cache / "descriptions" / f"robocrys-{importlib.metadata.version('robocrys')}"
    for entry in json.loads((ecd_fcc.PACKAGED / "descriptions.json").read_text()).values():
        path = store / entry["structure"][:2] / f"{entry['structure']}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(entry["text"])


def as_chgcar(volume: Volume, spin: bool = True):
    """The same density as a pymatgen Chgcar."""
    from pymatgen.core import Structure
    from pymatgen.io.vasp import Chgcar, Poscar

    structure = Structure(volume.lattice, volume.numbers, volume.frac_coords)
    data = {"total": volume.channels["total"].astype(float) * volume.cell_volume}
    if spin:
        data["diff"] = volume.channels["spin"].astype(float) * volume.cell_volume
    return Chgcar(Poscar(structure), data)
