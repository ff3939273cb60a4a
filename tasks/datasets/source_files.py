"""Files of other people's repositories, which are downloaded and never redistributed: pinned by commit and sha256."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from ...benchmark.errors import DataError
from ...benchmark.storage import sha256_file

_DATA = Path(__file__).parents[1] / "data"


@dataclass(frozen=True)
class SourceFiles:
    """The pinned files of a dataset.

    Attributes:
        dataset: the dataset's id, which is the name of its folder in the data folder.
        source: address of the folder that upstream serves.
        upstream: path of a file there, from its name here.
    """

    dataset: str
    source: str
    upstream: Callable[[str], str]

    @cached_property
    def manifest(self) -> dict[str, Any]:
        """What is packaged: sha256 per file and column, splits, statistics of the targets."""
        return json.loads((_DATA / self.dataset / "manifest.json").read_text(encoding="utf-8"))

    @property
    def sha256(self) -> Mapping[str, str]:
        """The files, each with its sha256."""
        return self.manifest["files"]

    def folder_in(self, data_dir: Path) -> Path:
        """The folder of the files: that of the dataset inside the data folder, or the data folder itself."""
        return data_dir if (data_dir / next(iter(self.sha256))).exists() else data_dir / self.dataset

    def presence(self, data_dir: Path) -> str:
        """Whether the files are there."""
        return "present" if not self._absent(self.folder_in(data_dir)) else "downloadable"

    def checked_folder(self, data_dir: Path) -> Path:
        """The folder, with every file compared with its sha256.

        Raises:
            DataError: a file is absent or differs from the pinned one.
        """
        folder = self.folder_in(data_dir)
        remedy = (
            f"Run `ecdbench fetch {self.dataset}` with internet access, or put a copy of the files where --data-dir "
            "(or ECDBENCH_DATA) points."
        )
        if absent := self._absent(folder):
            raise DataError(
                f"The {self.dataset} data are not in {folder} ({len(absent)} of {len(self.sha256)} files absent, "
                f"{absent[0]} first). {remedy}"
            )
        for name, digest in self.sha256.items():
            if sha256_file(folder / name) != digest:
                raise DataError(f"{folder / name} differs from the pinned file; delete it. {remedy}")
        return folder

    def fetch(self, data_dir: Path, progress: Callable[[int, int], None], source: str | None = None) -> Path:
        """Download what is missing. Each file is checked and then moved into place, so an interrupt loses one file.

        Args:
            data_dir: the files go to the dataset's folder in it.
            progress: called with the number of files done and in all.
            source: address of a mirror of upstream's folder.

        Returns:
            The folder.

        Raises:
            DataError: the source cannot be reached, is gone, or serves another file.
        """
        import pooch
        import requests

        pooch.get_logger().setLevel(logging.ERROR)
        folder, source = self.folder_in(data_dir), source or self.source
        downloads = pooch.create(
            path=folder,
            base_url=source,
            registry={name: f"sha256:{digest}" for name, digest in self.sha256.items()},
            urls={name: source + self.upstream(name) for name in self.sha256},
            retry_if_failed=2,
        )
        for done, name in enumerate(self.sha256, start=1):
            try:
                downloads.fetch(name)
            except requests.RequestException as error:
                reply = getattr(error, "response", None)
                if reply is not None and reply.status_code in (403, 404, 410):
                    raise DataError(
                        f"{self.source} no longer serves {name} (status {reply.status_code}); the public repository "
                        f"was moved or taken down. Copy the files to {folder} from another place; each is checked."
                    ) from error
                present = len(self.sha256) - len(self._absent(folder))
                raise DataError(
                    f"{name} could not be downloaded ({type(error).__name__}); {present} of {len(self.sha256)} files "
                    "are here. Check the connection and run the same command again, or copy the upstream folder to "
                    f"{folder}."
                ) from error
            except ValueError as error:
                raise DataError(
                    f"{name} from the source is not the pinned file (sha256 differs); nothing was kept."
                ) from error
            progress(done, len(self.sha256))
        return folder

    def _absent(self, folder: Path) -> list[str]:
        parents = {str(Path(name).parent) for name in self.sha256}
        found = {parent: _names(folder / parent) for parent in parents}
        return [name for name in self.sha256 if Path(name).name not in found[str(Path(name).parent)]]


def _names(folder: Path) -> set[str]:
    """Names of the files of a folder; none where there is no folder."""
    return {path.name for path in folder.iterdir()} if folder.is_dir() else set()
