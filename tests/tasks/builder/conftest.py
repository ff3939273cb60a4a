"""A Materials Project on this machine, and densities as CHGCAR files."""

import copy
import functools
import importlib.metadata
from pathlib import Path

import pytest
from ecdbench.tasks.builder.densities import Volume
from ecdbench.tasks.builder.ecd_fcc_source import known_texts
from ecdbench.tasks.datasets import ecd_fcc

from ...servers.materials_project import BUCKET, density_key, mp_servers


@pytest.fixture(scope="session")
def mp_session(raw_dir: Path):
    """A Materials Project of eight small crystals, shared by tests; use `mp`."""
    by_size = sorted((raw_dir / "densities").glob("*.npz"), key=lambda path: path.stat().st_size)
    with mp_servers(raw_dir, [path.stem for path in by_size[:8]]) as project:
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
    for text, digest in packaged_texts().values():
        path = store / digest[:2] / f"{digest}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


@functools.cache
def packaged_texts() -> dict[str, tuple[str, str]]:
    """The full text of each packaged crystal, and the hash of the structure it describes, by id."""
    return known_texts(ecd_fcc.PACKAGED)


def as_chgcar(volume: Volume, spin: bool = True):
    """The same density as a pymatgen Chgcar."""
    from pymatgen.core import Structure
    from pymatgen.io.vasp import Chgcar, Poscar

    structure = Structure(volume.lattice, volume.numbers, volume.frac_coords)
    data = {"total": volume.channels["total"].astype(float) * volume.cell_volume}
    if spin:
        data["diff"] = volume.channels["spin"].astype(float) * volume.cell_volume
    return Chgcar(Poscar(structure), data)
