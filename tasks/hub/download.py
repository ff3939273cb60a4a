"""Datasets on the Hugging Face Hub, by repository and commit."""

from __future__ import annotations

import re
from pathlib import Path

from ...benchmark.errors import DataError, ServiceError
from ..datasets.manifest import FILES, MANIFEST, check_size, read_manifest
from .hub_client import HubUnavailableError, file_sizes, hub_api, snapshot

_REPOSITORY = re.compile(r"[\w.-]+/[\w.-]+")
_COMMIT = re.compile(r"[0-9a-f]{40}")


def download(reference: str, offline: bool = False) -> Path:
    """The folder of a dataset at one commit, downloaded or from the Hub's cache.

    The manifest comes first; where it is none, nothing else is downloaded. Of everything else in the repository,
    nothing ever is.

    Args:
        reference: `ORG/NAME@COMMIT`, COMMIT being the 40 digits of a commit, since a branch or a tag may move.
        offline: take it from the cache or not at all.

    Raises:
        DataError: the reference is not pinned, there is no such repository or commit, or no dataset of ours in it.
        ServiceError: the Hub does not answer, and the cache does not hold this very commit completely.
        HubError: the Hub refuses.
    """
    repository, _, commit = reference.partition("@")
    if not _REPOSITORY.fullmatch(repository):
        raise DataError(f"'{reference}' is not a dataset on the Hub; write ORG/NAME@COMMIT, COMMIT being 40 digits.")
    if not _COMMIT.fullmatch(commit):
        raise DataError(
            f"'{reference}' is not pinned to a commit; write {repository}@ and its 40 digits, as `ecdbench publish` "
            f"prints them.{'' if offline else _newest(repository)}"
        )
    try:
        if not offline:
            _check_sizes(repository, commit)
        read_manifest(snapshot(repository, [MANIFEST], repo_type="dataset", revision=commit, offline=offline))
        folder = snapshot(repository, FILES, repo_type="dataset", revision=commit, offline=offline)
    except HubUnavailableError as error:
        if offline:
            raise ServiceError(f"{reference} is on the Hub and not on this machine; --download fetches it.") from error
        raise ServiceError(
            f"{error.reason}, and the cache does not hold this commit of {repository} completely; {error.remedy}."
        ) from error
    except ValueError as error:
        raise DataError(f"{repository} holds files that cannot be loaded ({error}); choose another commit.") from error
    if folder.name != commit:
        raise DataError(f"The Hub's cache returned {folder.name} instead of {commit}; delete that folder.")
    return folder


def _check_sizes(repository: str, commit: str) -> None:
    """Refuse files that are too large before they fill the disk. Raises DataError."""
    try:
        sizes = file_sizes(repository, FILES, commit)
    except HubUnavailableError:
        return  # what the cache holds was checked when it was downloaded
    for name, size in sizes.items():
        check_size(f"{name} of {repository}", name, size)


def _newest(repository: str) -> str:
    """A hint at the newest commit, if the Hub can be reached."""
    try:
        newest = hub_api().dataset_info(repository, timeout=5).sha
    except Exception:  # noqa: BLE001 - only a hint; whatever prevents it does not matter here
        return ""
    return f" The newest is {newest}."
