"""A Materials Project on this machine, and densities as CHGCAR files."""

import copy
import functools
import importlib.metadata
from pathlib import Path

import numpy as np
import pytest
from ecdbench.tasks.builder.densities import Volume
from ecdbench.tasks.builder.ecd_fcc_source import known_texts
from ecdbench.tasks.builder.row import make_row
from ecdbench.tasks.builder.user_folder import plan_user_folder
from ecdbench.tasks.datasets import ecd_fcc
from hypothesis import strategies as st

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


def rock_salt(points: int = 12) -> Volume:
    """NaCl with a synthetic density of eight electrons: smooth bumps at the atoms."""
    lattice = 2.82 * np.array([[0, 1, 1], [1, 0, 1], [1, 1, 0]])
    places = np.array([[0, 0, 0], [0.5, 0.5, 0.5]])
    axes = np.stack(np.meshgrid(*[np.arange(points) / points] * 3, indexing="ij"), axis=-1)
    density = np.zeros((points,) * 3)
    for place, electrons in zip(places, (1, 7), strict=True):
        away = 2 * np.pi * (axes - place)
        bump = np.exp(0.6 * (np.cos(away).sum(axis=-1) + np.cos(away.sum(axis=-1))))
        density += electrons * bump / bump.mean() / abs(np.linalg.det(lattice))
    return Volume(lattice, places, np.array([11, 17]), {"total": density}, {})


def chgcar_text(volume: Volume, *blocks: np.ndarray | str, head: str = "rock salt") -> str:
    """A CHGCAR as VASP 5 writes it: blocks of density times volume, by default the total, and lines between them."""
    total = volume.channels["total"] * volume.cell_volume
    rows = [head, "1.0", *(" ".join(f"{x:12.8f}" for x in vector) for vector in volume.lattice)]
    rows += ["   Na   Cl", "   1   1", "Direct", *(" ".join(map(str, place)) for place in volume.frac_coords), ""]
    for block in blocks or (total,):
        rows += [block] if isinstance(block, str) else ["   ".join(map(str, ("", *block.shape))), numbers_text(block)]
    return "\n".join(rows) + "\n"


def numbers_text(grid: np.ndarray, columns: int = 5) -> str:
    """The values of a grid, the first axis fastest."""
    values = grid.ravel(order="F")
    lines = [values[start : start + columns] for start in range(0, len(values), columns)]
    return "\n".join("".join(f" {value:17.11E}" for value in line) for line in lines)


def row_of(folder: Path) -> dict:
    """The row that `build` makes of a user's folder with one crystal."""
    plan = plan_user_folder("mine", folder)
    (crystal,) = plan.crystals()
    return make_row(crystal, plan.source.density(crystal), plan.blueprint, lambda _: "Rock salt.").to_pylist()[0]


# Where a text file is damaged, how many characters are lost, and what is there in their place.
damages = st.tuples(
    st.integers(0, 900),
    st.integers(0, 5),
    st.sampled_from(["", "0", "-1", "1e400", "nan", "Na", "*", "\n", " T ", "999999999", "0.5 0.5", "PRIMVEC", "\0"]),
)


def damaged(text: str, damage: tuple[int, int, str]) -> str:
    """The text with a damage in its first 900 characters."""
    start, lost, other = damage
    return text[:start] + other + text[start + lost :]


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    """A user's folder with the properties of one crystal, x, and no density yet."""
    (tmp_path / "mine" / "densities" / "x").mkdir(parents=True)
    (tmp_path / "mine" / "properties.csv").write_text("id,k_vrh [GPa]\nx,24\n")
    return tmp_path / "mine"
