"""The Croissant 1.0 description (mlcommons.org/croissant) of a dataset."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ...benchmark.columns import Column
from ...benchmark.storage import sha256_file, write_json
from ...benchmark.task import SPLITS
from ..datasets import DatasetFacts

_TYPES = {
    "string": "sc:Text",
    "number": "sc:Float",
    "integer": "sc:Integer",
    "boolean": "sc:Boolean",
    "image": "sc:ImageObject",
    "array": "sc:Float",
}
# The context, verbatim from the specification.
_CONTEXT = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileProperty": "cr:fileProperty",
    "fileObject": "cr:fileObject",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}


def write_croissant(out: Path, facts: DatasetFacts) -> None:
    """Write `croissant.json` for the parquet files that are in `out` now."""
    hashes = {split: sha256_file(out / f"{split}.parquet") for split in SPLITS}
    write_json(out / "croissant.json", croissant(facts, hashes))


def croissant(facts: DatasetFacts, file_sha256: Mapping[str, str]) -> dict[str, Any]:
    """Describe the parquet files and their columns.

    Args:
        facts: about the dataset.
        file_sha256: sha256 of the parquet file, by split.
    """
    return {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "name": facts.id,
        "description": facts.title,
        "license": facts.license,
        "citeAs": facts.citation,
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
                "field": [_field(split, column) for column in facts.columns],
            }
            for split in file_sha256
        ],
    }


def _field(split: str, column: Column) -> dict[str, Any]:
    source: dict[str, Any] = {"fileObject": {"@id": f"{split}.parquet"}, "extract": {"column": column.name}}
    if column.kind == "image":
        source["transform"] = {"jsonPath": "bytes"}
    field = {
        "@type": "cr:Field",
        "@id": f"{split}/{column.name}",
        "name": column.name,
        "description": column.meaning,
        "dataType": _TYPES[column.kind],
        "source": source,
    }
    return field | ({"repeated": True} if column.kind == "array" else {})
