"""Datasets on the Hugging Face Hub, by repository and commit."""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path

from ..benchmark.errors import DataError, ServiceError

_REPOSITORY = re.compile(r"[\w.-]+/[\w.-]+")
_COMMIT = re.compile(r"[0-9a-f]{40}")
# What a published dataset consists of; anything else in the repository is left there.
_FILES = ["*.parquet", "*.json", "README.md", "eval.yaml"]


def endpoint() -> str | None:
    """The Hub's address where it is not the usual one; the library itself reads it only once, when it is imported."""
    return os.environ.get("HF_ENDPOINT")


def bars_for_people_only() -> None:
    """Let the Hub's library draw its progress bars in a terminal, and nowhere else."""
    from huggingface_hub.utils import disable_progress_bars  # type: ignore[attr-defined]

    if not sys.stderr.isatty():
        disable_progress_bars()


def download(reference: str) -> Path:
    """The folder of a dataset at one commit, downloaded or from the Hub's cache.

    Args:
        reference: `ORG/NAME@COMMIT`, COMMIT being the 40 digits of a commit: a branch or a tag may move.

    Raises:
        DataError: the reference is not pinned, or there is no such repository or commit.
        ServiceError: the Hub does not answer, and this very commit is not in the cache as a whole.
    """
    from huggingface_hub import errors, snapshot_download

    repository, _, commit = reference.partition("@")
    if not _REPOSITORY.fullmatch(repository):
        raise DataError(f"'{reference}' is no dataset on the Hub; write ORG/NAME@COMMIT, COMMIT being 40 digits.")
    if not _COMMIT.fullmatch(commit):
        raise DataError(
            f"'{reference}' is not pinned to a commit: write {repository}@ and the 40 digits of one, as `ecdbench "
            f"publish` prints them.{_latest(repository)}"
        )
    bars_for_people_only()
    try:
        folder = Path(
            snapshot_download(
                repository, repo_type="dataset", revision=commit, allow_patterns=_FILES, endpoint=endpoint()
            )
        )
    except errors.HFValidationError as error:
        raise DataError(f"'{repository}' is no name of a repository; write ORG/NAME.") from error
    except json.JSONDecodeError as error:
        raise ServiceError(
            "What answers for the Hub is not the Hub, perhaps the login page of this network; log in there first."
        ) from error
    except ValueError as error:
        raise DataError(f"{repository} holds files that cannot be loaded ({error}).") from error
    except errors.RevisionNotFoundError as error:
        raise DataError(f"{repository} has no commit {commit}; `ecdbench publish` prints the one to pin.") from error
    except (errors.RepositoryNotFoundError, errors.GatedRepoError) as error:
        raise DataError(
            f"There is no dataset {repository} on the Hub, or it is private and your token does not open it "
            "(HF_TOKEN, or `hf auth login`)."
        ) from error
    except (errors.LocalEntryNotFoundError, errors.HTTPError, OSError) as error:  # type: ignore[attr-defined]
        raise ServiceError(
            f"{repository} at commit {commit[:12]} cannot be loaded: the Hub does not answer "
            f"({type(error).__name__}), and the cache does not hold this commit as a whole. Load it once with a "
            "connection."
        ) from error
    if folder.name != commit:
        raise DataError(f"The Hub's cache gave {folder.name} where {commit} was asked for; delete that folder.")
    return folder


def _latest(repository: str) -> str:
    """A hint at the newest commit, where the Hub can be asked."""
    from huggingface_hub import HfApi

    try:
        newest = HfApi(endpoint=endpoint()).dataset_info(repository, timeout=5).sha
    except Exception:  # noqa: BLE001 - it is a hint, and whatever hinders it is no concern of the reader
        return ""
    return f" The newest is {newest}."
