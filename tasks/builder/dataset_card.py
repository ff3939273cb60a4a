"""The dataset card: the README.md that the Hugging Face Hub shows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml
from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from ...benchmark.task import SPLITS
from ..datasets import DatasetFacts
from .blueprint import Blueprint

_TAGS = ["materials science", "electron density", "chemistry", "ecdbench"]
_MEANING = {
    "total": "valence electron density",
    "spin": "spin up minus spin down (`diff` in pymatgen and the Materials Project)",
    "deformation": "total minus superposed atoms",
}


def dataset_card(blueprint: Blueprint, manifest: Mapping[str, Any], sources: Mapping[str, set[str]]) -> str:
    """The card as markdown, with the YAML header that the Hub reads.

    Args:
        blueprint: of the dataset.
        manifest: of the dataset.
        sources: values that occur in the `*_source` columns, by column.
    """
    environment = Environment(
        loader=PackageLoader("ecdbench.tasks", "data/templates"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=select_autoescape(),  # applies to HTML templates, not to this markdown
    )
    return environment.get_template("card.md.jinja").render(
        header=yaml.safe_dump(card_header(blueprint.facts, blueprint.facts.license), sort_keys=False).strip(),
        facts=blueprint.facts,
        blueprint=blueprint,
        manifest=manifest,
        n=sum(manifest["rows"].values()),
        meaning=_MEANING,
        sources={name: sorted(values) for name, values in sorted(sources.items())},
        notes=f"{blueprint.notes}.md.jinja",
    )


def card_header(facts: DatasetFacts, license_name: str) -> dict[str, Any]:
    """The YAML header: name, license, tags, and the file of each split."""
    kinds = sorted({f"tabular-{target.kind}" for target in facts.targets}, reverse=True)
    return {
        "pretty_name": facts.title,
        "license": license_name.lower(),
        "task_categories": kinds,
        "tags": _TAGS,
        "configs": [
            {
                "config_name": "default",
                "data_files": [{"split": split, "path": f"{split}.parquet"} for split in SPLITS],
            }
        ],
    }
