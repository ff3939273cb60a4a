"""A Materials Project on this machine: its REST interface and its store of densities (moto's S3 server).

Densities, structures, formulas and space groups are real (`ecd-fcc`). Properties that its table has are real, too;
the others are made up from the id, which `made_up` says.
"""

from __future__ import annotations

import csv
import gzip
import json
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
from ecdbench.tasks.builder.densities import read_volume
from ecdbench.tasks.builder.materials_project import KINDS
from emmet.core.mpid import AlphaID
from flask import Flask, jsonify, request
from monty.json import MontyEncoder
from moto.server import DomainDispatcherApplication, create_backend_app
from pymatgen.core import Structure
from pymatgen.io.vasp import Chgcar, Poscar

from .faults import Faulty, Serving

KEY = "k3y" + "0" * 29
BUCKET = "materialsproject-parsed"
_REAL = {"k_vrh": "k_vrh", "g_vrh": "g_vrh", "homogeneous_poisson": "poisson_ratio", "band_gap": "band_gap_pbe",
         "total_magnetization": "total_magnetization", "efermi": "fermi_energy"}  # fmt: skip


def as_json_gz(path: Path, spin: bool = True) -> bytes:
    """A density in the Materials Project's form."""
    volume = read_volume(path)
    structure = Structure(volume.lattice, volume.numbers, volume.frac_coords)
    data = {"total": volume.channels["total"].astype(float) * volume.cell_volume}
    if spin:
        data["diff"] = volume.channels["spin"].astype(float) * volume.cell_volume
    text = json.dumps({"data": Chgcar(Poscar(structure), data)}, cls=MontyEncoder)
    return gzip.compress(text.encode(), compresslevel=1, mtime=0)


def made_up(material: str, name: str) -> float:
    """A number for a property that no table has: made up, but always the same."""
    return round((int(material.split("-")[1]) * 37 + len(name) * 101) % 1000 / 100 + 1, 4)


class MaterialsProject:
    """The two servers of `mp_servers`.

    Attributes:
        documents: what the REST interface knows, by id; a test may change them.
        rest, store: the servers' applications, to make them fail.
        s3: a client of the store, to change what it holds.
    """

    def __init__(self, raw: Path, ids: list[str]) -> None:
        with (raw / "properties.csv").open() as file:
            table = {row["material_id"]: row for row in csv.DictReader(file)}
        self.documents = {material: _document(material, table[material]) for material in ids}
        self.rest = Faulty(_rest(self.documents))
        self.store = Faulty(DomainDispatcherApplication(create_backend_app))
        self.raw = raw
        self.s3: Any = None
        self.urls: tuple[str, str] = ("", "")

    @property
    def environment(self) -> dict[str, str]:
        """What points the real clients here."""
        return {
            "MP_API_ENDPOINT": self.urls[0] + "/",
            "AWS_ENDPOINT_URL_S3": self.urls[1],
            "AWS_DEFAULT_REGION": "us-east-1",
            "MP_API_KEY": KEY,
        }

    def put_density(self, material: str, body: bytes) -> None:
        """Store a density file."""
        self.s3.put_object(Bucket=BUCKET, Key=density_key(material), Body=body, ACL="public-read")


def density_key(material: str) -> str:
    """Where the store has the density of a crystal's static calculation."""
    return f"chgcars/{AlphaID(_task(material).split('-')[1], prefix='mp').string}.json.gz"


@contextmanager
def mp_servers(raw: Path, ids: list[str]) -> Iterator[MaterialsProject]:
    """Serve these crystals."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    project = MaterialsProject(raw, ids)
    with Serving(project.rest) as rest, Serving(project.store) as store:
        project.urls = rest.url, store.url
        project.s3 = boto3.client("s3", endpoint_url=store.url, aws_access_key_id="x", aws_secret_access_key="y",
                                  region_name="us-east-1")  # fmt: skip
        project.s3.create_bucket(Bucket=BUCKET, ACL="public-read")
        for material in ids:
            project.put_density(material, as_json_gz(raw / "densities" / f"{material}.npz"))
        yield project


def _task(material: str) -> str:
    return f"mp-{int(material.split('-')[1]) + 500_000}"


def _document(material: str, row: Mapping[str, str]) -> dict[str, Any]:
    values = {name: made_up(material, name) for name in KINDS if name[:2] not in ("k_", "g_")}
    values |= {name: int(made_up(material, name)) for name, kind in KINDS.items() if kind == "integer"}
    values |= {name: float(row[theirs] or made_up(material, name)) for name, theirs in _REAL.items()}
    averages = {name: values.pop(name) for name in ("k_vrh", "g_vrh")}
    return {
        "material_id": material,
        "formula_pretty": row["formula"],
        "symmetry": {"number": int(row["spacegroup"])},
        "is_stable": True,
        **values,
        "energy_above_hull": 0.0,
        "bulk_modulus": dict.fromkeys(("voigt", "reuss", "vrh"), averages["k_vrh"]),
        "shear_modulus": {"voigt": averages["g_vrh"] + 1, "reuss": averages["g_vrh"] - 1, "vrh": averages["g_vrh"]},
        "calc_types": {_task(material): "GGA Static", material: "GGA Structure Optimization"},
    }


def _rest(documents: Mapping[str, dict[str, Any]]) -> Flask:
    app = Flask(__name__)

    def page(found: list[dict[str, Any]]) -> Any:
        start, count = int(request.args.get("_skip", 0)), int(request.args.get("_limit", 100))
        fields = request.args.get("_fields", "material_id").split(",")
        rows = [{f: row[f] for f in fields if f in row} for row in found[start : start + count]]
        return jsonify({"data": rows, "meta": {"total_doc": len(found)}})

    @app.before_request
    def check_key() -> Any:
        if request.path != "/heartbeat" and request.headers.get("x-api-key") != KEY:
            return jsonify({"detail": "Invalid authentication credentials"}), 401
        return None

    @app.get("/heartbeat")
    def heartbeat() -> Any:
        return jsonify({"version": "0.87.3", "db_version": "2026.10.1", "access_controlled_batch_ids": []})

    @app.get("/materials/summary/")
    def summary() -> Any:
        wanted = request.args.get("material_ids", "").split(",")
        group = request.args.get("spacegroup_number")
        found = [d for d in documents.values() if group is None or d["symmetry"]["number"] == int(group)]
        return page([d for d in found if wanted == [""] or d["material_id"] in wanted])

    @app.get("/materials/core/")
    def core() -> Any:
        wanted = request.args.get("material_ids", "").split(",")
        return page([d for d in documents.values() if d["material_id"] in wanted])

    @app.get("/materials/tasks/")
    def tasks() -> Any:
        wanted = request.args.get("task_ids", "").split(",")
        return page([{"task_id": task, "last_updated": "2020-01-01T00:00:00"} for task in wanted])

    return app
