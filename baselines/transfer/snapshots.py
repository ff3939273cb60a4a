"""Files of a repository on the hub."""

from __future__ import annotations

from pathlib import Path


def snapshot(repository: str, *patterns: str) -> Path:
    """The folder with a repository's files that match, downloaded where they are not here yet.

    A whole snapshot is asked for even where it is one file: off line it fails at once, a single file after five tries.

    Raises:
        Exception: of huggingface_hub, whatever was in the way.
    """
    from huggingface_hub import snapshot_download

    return Path(snapshot_download(repository, allow_patterns=list(patterns)))
