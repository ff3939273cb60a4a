"""The dataset card and the Croissant description that go with the data."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import yaml
from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from ...benchmark.task import SPLITS
from ..ecd_fcc import FACTS

_COLUMNS = {
    "id": "Materials Project id",
    "chemical_system": "elements in alphabetical order; the group of the grouped scheme",
    "lattice_parameter": "edge of the conventional cube, A",
    "n_electrons": "integral of the total density over the primitive cell",
    "k_vrh": "bulk modulus, GPa",
    "formation_energy_per_atom": "eV/atom",
    "band_gap": "PBE gap computed with the density, eV",
    "band_gap_mp": "gap as tabulated by the Materials Project, eV",
    "total_magnetization": "muB per primitive cell",
    "g_vrh": "shear modulus, GPa",
    "e_above_hull": "eV/atom",
    "fermi_energy": "eV, relative to GPAW's zero",
    "energy_rel_atoms": "eV per primitive cell, relative to GPAW's reference atoms",
}


def dataset_card(rows: list[dict[str, Any]], manifest: dict[str, Any]) -> str:
    """The README.md of the dataset, with the YAML header that the Hub reads."""
    header = {
        "pretty_name": FACTS.title,
        "license": FACTS.license.lower(),
        "task_categories": ["tabular-regression"],
        "tags": ["materials science", "electron density", "chemistry", "ecdbench"],
        "configs": [
            {
                "config_name": "default",
                "data_files": [{"split": split, "path": f"{split}.parquet"} for split in SPLITS],
            }
        ],
    }
    template = Environment(
        loader=PackageLoader("ecdbench.tasks", "data/templates"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=select_autoescape(),  # escapes html, not this markdown
    ).get_template("card.md.jinja")
    noise = {name: sum(row[f"is_noise_{name}"] for row in rows) for name in manifest["rendering"]}
    sources = {name: sorted({row[name] for row in rows if row[name]}) for name in rows[0] if name.endswith("_source")}
    return template.render(
        header=yaml.safe_dump(header, sort_keys=False).strip(),
        facts=FACTS,
        manifest=manifest,
        n=len(rows),
        noise=noise,
        sources=sources,
        columns=_COLUMNS,
    )


def croissant(schema: pa.Schema, file_sha256: dict[str, str]) -> dict[str, Any]:
    """A Croissant 1.0 description (mlcommons.org/croissant) of the parquet files and their columns."""
    kinds = {pa.string(): "sc:Text", pa.float64(): "sc:Float", pa.int64(): "sc:Integer", pa.bool_(): "sc:Boolean"}
    return {
        "@context": {
            "@vocab": "https://schema.org/",
            "sc": "https://schema.org/",
            "cr": "http://mlcommons.org/croissant/",
            "conformsTo": "http://purl.org/dc/terms/conformsTo",
        },
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "name": FACTS.id,
        "description": FACTS.title,
        "license": FACTS.license,
        "citeAs": FACTS.citation,
        "distribution": [
            {
                "@type": "cr:FileObject",
                "@id": f"{split}.parquet",
                "name": f"{split}.parquet",
                "contentUrl": f"{split}.parquet",
                "encodingFormat": "application/x-parquet",
                "sha256": digest,
            }
            for split, digest in file_sha256.items()
        ],
        "recordSet": [
            {
                "@type": "cr:RecordSet",
                "@id": split,
                "name": split,
                "field": [
                    {
                        "@type": "cr:Field",
                        "@id": f"{split}/{column.name}",
                        "name": column.name,
                        "description": _COLUMNS.get(column.name, column.name),
                        "dataType": kinds.get(column.type, "sc:ImageObject" if "image" in column.name else "sc:Float"),
                        "repeated": column.name.startswith("density_"),
                        "source": {
                            "fileObject": {"@id": f"{split}.parquet"},
                            "extract": {"column": column.name},
                        },
                    }
                    for column in schema
                ],
            }
            for split in file_sha256
        ],
    }
