"""Download the `sfe` files from their public repository."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

from ..benchmark.errors import DataError
from . import sfe

_SOURCE = (
    "https://raw.githubusercontent.com/Materials-Computation-Data-Science-MCDC/DFT_Stacking_Fault_Energy/"
    f"{sfe.COMMIT}/CNN/"
)


def fetch_sfe(data_dir: Path, progress: Callable[[int, int], None], source: str = _SOURCE) -> Path:
    """Download what is missing. Each file is checked and then moved into place, so an interrupt loses one file.

    Args:
        data_dir: the files go to its folder `sfe`.
        progress: called with the number of files done and in all.
        source: where upstream's folder `CNN/` is served.

    Returns:
        The folder.

    Raises:
        DataError: the source cannot be reached, or serves another file.
    """
    import pooch
    import requests

    logging.getLogger("pooch").setLevel(logging.ERROR)
    folder, files = sfe.folder_in(data_dir), sfe.pinned()["files"]
    downloads = pooch.create(
        path=folder,
        base_url=source,
        registry={name: f"sha256:{digest}" for name, digest in files.items()},
        urls={name: source + name.replace("images/", "CHGCAR_images/") for name in files},
        retry_if_failed=2,
    )
    for done, name in enumerate(files, start=1):
        try:
            downloads.fetch(name)
        except requests.RequestException as error:
            raise DataError(
                f"{name} could not be downloaded ({type(error).__name__}); {done - 1} of {len(files)} files are here. "
                "Check the connection and run the same command again, or copy the upstream folder to "
                f"{folder}."
            ) from error
        except ValueError as error:
            raise DataError(
                f"{name} from the source is not the pinned file (sha256 differs); nothing was kept."
            ) from error
        progress(done, len(files))
    return folder
