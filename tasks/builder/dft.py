"""The density of one crystal by GPAW, with the settings of `ecd-fcc`, in a process of its own.

GPAW (Mortensen et al., J. Chem. Phys. 160, 092503 (2024)) is the extra `dft`. A calculation can take all memory, run
for hours or crash; so each runs in a child, which ends with its parent.
"""

from __future__ import annotations

import importlib.metadata
import io
import json
import os
import subprocess
import sys
import tempfile
import threading
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...benchmark.child_processes import module_command
from .crystal import CrystalError

# Starting moments (muB), ferromagnetic; the second table only next to an anion.
_MOMENTS = {
    "V": 2.0, "Cr": 3.0, "Mn": 4.0, "Fe": 3.0, "Co": 2.0, "Ni": 1.0, "Ce": 1.0, "Pr": 2.0, "Nd": 3.0, "Pm": 4.0,
    "Sm": 5.0, "Eu": 7.0, "Gd": 7.0, "Tb": 6.0, "Dy": 5.0, "Ho": 4.0, "Er": 3.0, "Tm": 2.0, "Yb": 0.5,
}  # fmt: skip
_MOMENTS_IN_SALTS = {"Mo": 1.0, "Ru": 2.0, "Re": 1.0, "Os": 2.0, "Ir": 1.0, "W": 1.0, "Cu": 1.0, "Nb": 1.0, "Ti": 1.0}
_ANIONS = {"O", "F", "Cl", "Br", "I"}
_NO_PAW, _NOT_CONVERGED, _DIED = "no PAW data", "not converged", "calculation died"
# What the child says where GPAW is not installed; no crystal can be computed then.
MISSING_GPAW = "no gpaw"


@dataclass(frozen=True)
class DftSettings:
    """How densities are computed. The defaults are those of `ecd-fcc`.

    Attributes:
        cutoff: of the plane waves, eV; 400 is not enough for B, C, N, O and F.
        k_density: k points per 1/A, for cells of up to four sites.
        k_density_large: the same for larger cells.
        smearing: width of the Fermi-Dirac distribution, eV.
        time_limit: seconds for one attempt.
    """

    cutoff: float = 600.0
    k_density: float = 4.5
    k_density_large: float = 3.5
    smearing: float = 0.1
    time_limit: float = 3 * 3600.0


def compute_density(sample_id: str, structure: dict[str, Any], settings: DftSettings) -> bytes:
    """The density of a structure as an `.npz` file of this project.

    What does not converge is tried once more, with gentler mixing and more smearing.

    Args:
        sample_id: of the crystal.
        structure: as a pymatgen structure dict.
        settings: of the calculation.

    Raises:
        CrystalError: it did not converge, an element has no PAW data, or the calculation died; the kind is
            `MISSING_GPAW` where GPAW is not installed.
    """
    for attempt in (0, 1):
        answer, content = _in_child({"id": sample_id, "structure": structure, "attempt": attempt, **asdict(settings)})
        if content is not None:
            return content
        if answer["kind"] != _NOT_CONVERGED:
            break
    raise CrystalError(answer["kind"], answer["reason"])


def _in_child(request: dict[str, Any]) -> tuple[dict[str, str], bytes | None]:
    with tempfile.TemporaryDirectory(prefix="ecdbench-dft-") as folder:
        child = subprocess.Popen(
            module_command(__name__, folder),
            stdin=subprocess.PIPE,
            bufsize=0,  # nothing is left to write when the pipe is closed
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
            start_new_session=True,  # Ctrl-C is for the parent; when that exits, the pipe closes and the child ends
        )
        assert child.stdin is not None
        try:
            child.stdin.write(json.dumps(request).encode() + b"\n")  # and left open
            code = child.wait(request["time_limit"])
        except subprocess.TimeoutExpired:
            return {"kind": _DIED, "reason": f"no result within {request['time_limit']:g} s"}, None
        except BrokenPipeError:
            code = child.wait()
        finally:
            child.kill()
            child.wait()
            child.stdin.close()
        answer, result = Path(folder) / "answer.json", Path(folder) / "density.npz"
        if result.exists():
            return {}, result.read_bytes()
        if answer.exists():
            return json.loads(answer.read_text()), None
        how = "was killed, possibly out of memory" if code < 0 else f"ended with status {code}"
        return {"kind": _DIED, "reason": f"its process {how}"}, None


def _calculate(request: dict[str, Any]) -> bytes:
    """Run GPAW on the requested structure, and pack what it finds."""
    from ase import Atoms
    from gpaw.dft import DFT, Parameters
    from gpaw.mpi import world
    from gpaw.new.logger import Logger
    from pymatgen.core import Structure

    structure = Structure.from_dict(request["structure"])
    symbols = [str(site.specie.symbol) for site in structure]
    if absent := sorted({symbol for symbol in symbols if not _has_paw(symbol)}):
        raise CrystalError(_NO_PAW, f"GPAW has no PAW data set of {', '.join(absent)}")
    atoms = Atoms(symbols, scaled_positions=structure.frac_coords, cell=structure.lattice.matrix, pbc=True)
    in_salt = bool(set(symbols) & _ANIONS)
    moments = [_MOMENTS.get(one, _MOMENTS_IN_SALTS.get(one, 0.0) if in_salt else 0.0) for one in symbols]
    if any(moments):
        atoms.set_initial_magnetic_moments(moments)
    logger = Logger(None, world)
    dft = DFT.from_parameters(
        atoms, Parameters(**_parameters(request, len(symbols), any(moments))), logger.comm, logger, converge=False
    )
    before = dft.densities().pseudo_densities(grid_refinement=2).data.sum(0)
    dft.converge()
    grid = dft.densities().pseudo_densities(grid_refinement=2)
    after = grid.data
    total = after.sum(0)
    spin = after[0] - after[1] if len(after) == 2 else np.zeros_like(total)
    calculator = dft.ase_calculator()
    fermi = float(calculator.get_fermi_level())
    meta = {
        "material_id": request["id"],
        "formula": structure.composition.reduced_formula,
        "nsites": len(symbols),
        "kpts": [int(count) for count in dft.ibzwfs.ibz.bz.size_c],
        "ecut_eV": request["cutoff"],
        "spinpol": any(moments),
        "attempt": request["attempt"],
        "n_electrons": float(after.sum() * grid.desc.dv),
        "band_gap_pbe_eV": _gap(calculator, fermi),
        "fermi_eV": fermi,
        "energy_rel_atoms_eV": float(dft.calculate_energy()),
        "total_magnetization_muB": float(dft.magmoms()[0][2]) if any(moments) else 0.0,
        "engine": f"gpaw {importlib.metadata.version('gpaw')}, PBE PAW PW",
        "units": "e/Angstrom^3; grid spans the cell, end points excluded, index order = lattice vectors a, b, c",
    }
    buffer = io.BytesIO()
    np.savez_compressed(
        buffer,
        total=total.astype("f4"),
        spin=spin.astype("f4"),
        deformation=(total - before).astype("f4"),
        lattice=atoms.cell.array,
        frac_coords=atoms.get_scaled_positions(),
        numbers=atoms.numbers,
        meta=np.array(json.dumps(meta)),
    )
    return buffer.getvalue()


def _parameters(request: dict[str, Any], sites: int, is_magnetic: bool) -> dict[str, Any]:
    again = bool(request["attempt"])
    parameters: dict[str, Any] = {
        "mode": {"name": "pw", "ecut": request["cutoff"]},
        "xc": "PBE",
        "kpts": {
            "density": request["k_density"] if sites <= 4 else request["k_density_large"],
            "gamma": True,
            "even": True,
        },
        "occupations": {"name": "fermi-dirac", "width": request["smearing"] * (2 if again else 1)},
        "nbands": -max(8, 2 * sites),  # the default misses states
        "eigensolver": {"name": "davidson", "niter": 3},
        "maxiter": 300 if again else 120,
    }
    if again:
        method = "difference" if is_magnetic else "separate"
        parameters["mixer"] = {"method": method, "beta": 0.02, "nmaxold": 5, "weight": 100}
    return parameters


def _has_paw(symbol: str) -> bool:
    from gpaw import setup_paths

    return any(list(Path(folder).glob(f"{symbol}.PBE*")) for folder in setup_paths)


def _gap(calculator: Any, fermi: float) -> float:
    """The band gap, eV: 0 where a band crosses the Fermi level."""
    below, above = [], []
    for spin in range(calculator.get_number_of_spins()):
        filled = set()
        for k in range(len(calculator.get_ibz_k_points())):
            energies = calculator.get_eigenvalues(kpt=k, spin=spin)
            occupied = energies < fermi
            filled.add(int(occupied.sum()))
            below += [energies[occupied].max()] if occupied.any() else []
            above += [energies[~occupied].min()] if not occupied.all() else []
        if len(filled) > 1:
            return 0.0
    return max(0.0, float(min(above) - max(below))) if below and above else 0.0


def _serve(folder: Path) -> None:
    """Read a request from standard input, and write a density or the reason why there is none to a folder."""
    import warnings

    from ...benchmark.storage import write_atomically

    warnings.simplefilter("ignore")
    request = json.loads(sys.stdin.readline())
    threading.Thread(target=_exit_with_parent, daemon=True).start()
    try:
        content = _calculate(request)
        write_atomically(folder / "density.npz", lambda path: path.write_bytes(content))
    except ImportError as error:
        if (error.name or "").partition(".")[0] not in ("gpaw", "ase"):
            raise
        _answer(folder, MISSING_GPAW, str(error))
    except CrystalError as error:
        _answer(folder, error.kind, str(error))
    except MemoryError:
        _answer(folder, "memory", "there was not enough memory for it")
    except Exception as error:  # noqa: BLE001 - whatever GPAW raises is reported as the reason
        kind = _NOT_CONVERGED if "onverge" in type(error).__name__ + str(error) else _DIED
        _answer(folder, kind, f"{type(error).__name__}: {error}".partition("\n")[0][:200])


def _answer(folder: Path, kind: str, reason: str) -> None:
    (folder / "answer.json").write_text(json.dumps({"kind": kind, "reason": reason}))


def _exit_with_parent() -> None:
    sys.stdin.read()
    os._exit(1)


if __name__ == "__main__":
    _serve(Path(sys.argv[1]))
