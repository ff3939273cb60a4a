"""`ecdbench fetch` and `ecdbench build`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ...tasks.load import default_data_dir
from ..errors import EcdbenchError, unknown_name
from .output import progress_bars, say


def fetch_command(dataset: str, data_dir: Path | None, quiet: bool) -> None:
    """Download a dataset."""
    if dataset != "sfe":
        raise EcdbenchError(
            unknown_name("dataset to download", dataset, ["sfe"], "Only sfe is downloaded; ecd-fcc is packaged.")
        )
    from ...tasks.fetch import fetch_sfe

    with progress_bars(quiet) as (progress, _):
        folder = fetch_sfe(data_dir or default_data_dir(), lambda done, total: progress(done, total, "files"))
    say(str(folder))


def build_command(
    dataset: str, source: Path, out: Path, plane: dict[str, Any], regrid: int | None, quiet: bool
) -> None:
    """Build a dataset."""
    if dataset != "ecd-fcc":
        raise EcdbenchError(
            unknown_name("dataset to build", dataset, ["ecd-fcc"], "Only ecd-fcc is built from a raw folder.")
        )
    from ...tasks.build.ecd_fcc import build
    from ...tasks.build.plane import PlaneSettings

    with progress_bars(quiet) as (progress, _):
        build(source, out, PlaneSettings(**plane), regrid, lambda done, total: progress(done, total, "crystals"))
    say(str(out))
