"""`ecdbench fetch`."""

from __future__ import annotations

from pathlib import Path

from ...tasks.load import default_data_dir
from ..errors import EcdbenchError, unknown_name
from .output import progress_bars, say


def fetch_command(dataset: str, data_dir: Path | None, quiet: bool) -> None:
    """Download a dataset."""
    if dataset != "sfe":
        raise EcdbenchError(
            unknown_name(
                "dataset to download", dataset, ["sfe"], "Only sfe is downloaded; ecd-fcc is packaged, mp-fcc is built."
            )
        )
    from ...tasks.fetch import fetch_sfe

    with progress_bars(quiet) as (progress, _):
        folder = fetch_sfe(data_dir or default_data_dir(), lambda done, total: progress(done, total, "files"))
    say(str(folder))
