"""Access to the Hugging Face Hub: the endpoint, downloads, retries, and one translation of its library's errors."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from ...benchmark.certificates import check_certificates
from ...benchmark.errors import DataError, EcdbenchError, ServiceError

_ATTEMPTS = 4
_MAX_PAUSE = 60
_BUSY = {408, 429, 500, 502, 503, 504}
_CONFLICT = {409, 412}
_Result = TypeVar("_Result")


class HubError(EcdbenchError):
    """The Hub refuses a request, for example because a token or a permission is missing.

    Attributes:
        reason: what is wrong, as a clause.
        remedy: what to do about it, as a clause.
    """

    def __init__(self, reason: str, remedy: str) -> None:
        super().__init__(f"{reason}; {remedy}.")
        self.reason, self.remedy = reason, remedy


class HubNotFoundError(HubError, DataError):
    """There is no such repository or commit on the Hub, or it is not accessible with this token."""


class HubUnavailableError(HubError, ServiceError):
    """The Hub does not answer, or another push came in between; the same command may succeed later."""


def endpoint() -> str | None:
    """The Hub's address from `HF_ENDPOINT`, or None; the library itself reads it only once, at import."""
    return os.environ.get("HF_ENDPOINT")


def hub_api() -> Any:
    """The library's client, for this endpoint."""
    from huggingface_hub import HfApi

    check_certificates()
    return HfApi(endpoint=endpoint())


def limit_progress_bars() -> None:
    """Let the library draw its progress bars only in a terminal."""
    from huggingface_hub.utils import disable_progress_bars  # type: ignore[attr-defined]

    if not sys.stderr.isatty():
        disable_progress_bars()


def check_repository_name(repository: str) -> None:
    """Refuse a name that is not ORG/NAME. Raises HubError."""
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]

    try:
        validate_repo_id(repository)
    except HFValidationError as error:
        raise _invalid_name(repository) from error
    if repository.count("/") != 1 or not repository.replace("/", "").strip("."):
        raise HubError(f"'{repository}' names no owner", "write ORG/NAME")


def snapshot(
    repository: str,
    patterns: Sequence[str],
    *,
    repo_type: str = "model",
    revision: str | None = None,
    offline: bool = False,
) -> Path:
    """The folder with a repository's matching files, downloaded unless the cache holds them.

    A whole snapshot is requested even for a single file: without a connection it fails at once, a single file only
    after five attempts.

    Args:
        repository: `ORG/NAME`.
        patterns: of the files.
        repo_type: `model` or `dataset`.
        revision: a commit; the newest by default.
        offline: ask nobody; the cache holds it or not.

    Raises:
        HubNotFoundError: there is no such repository or commit, or it is not accessible.
        HubUnavailableError: the Hub does not answer, and the cache does not hold all files.
        HubError: the Hub refuses.
    """
    from huggingface_hub import snapshot_download

    check_certificates()
    limit_progress_bars()
    with _translated_errors(repository, revision):
        return Path(
            snapshot_download(
                repository,
                repo_type=repo_type,
                revision=revision,
                allow_patterns=list(patterns),
                endpoint=endpoint(),
                local_files_only=offline,
            )
        )


def file_sizes(repository: str, paths: Sequence[str], revision: str) -> dict[str, int]:
    """The sizes, in bytes, of those files of a dataset repository that are there, without downloading them.

    Raises:
        HubError: as `snapshot` says.
    """
    with _translated_errors(repository, revision):
        found = hub_api().get_paths_info(repository, list(paths), revision=revision, repo_type="dataset")
    return {one.path: one.size for one in found if hasattr(one, "size")}


def call_hub(request: Callable[[], _Result], repository: str, pause: float) -> _Result:
    """Send a request; while the Hub is busy, repeat it with exponential backoff.

    Args:
        request: calls the library.
        repository: that the request is about.
        pause: seconds before the second attempt; doubles each time, up to a minute.

    Raises:
        HubError: the Hub refuses, or does not answer.
    """
    import tenacity

    retrying = tenacity.Retrying(
        stop=tenacity.stop_after_attempt(_ATTEMPTS),
        wait=tenacity.wait_exponential(multiplier=pause, max=_MAX_PAUSE),
        retry=tenacity.retry_if_exception(lambda error: _status(error) in _BUSY),
        reraise=True,
    )
    with _translated_errors(repository):
        return retrying(request)


def describe_failure(error: Exception) -> str:
    """Why a download failed, in one clause, whether from the Hub or from elsewhere."""
    if isinstance(error, HubError):
        return error.reason
    return f"{type(error).__name__}: {str(error).partition(chr(10))[0].rstrip('.')}"


@contextmanager
def _translated_errors(repository: str, revision: str | None = None) -> Iterator[None]:
    """Turn the library's errors into ours; errors of another origin, such as a full disk, pass through."""
    try:
        yield
    except Exception as error:
        translated = _translate(error, repository, revision)
        if translated is None:
            raise
        raise translated from error


def _translate(error: Exception, repository: str, revision: str | None) -> HubError | None:
    from huggingface_hub import errors

    if isinstance(error, errors.LocalTokenNotFoundError):
        return HubError("There is no Hub token", "set HF_TOKEN or run `hf auth login`, with a token that may write")
    if isinstance(error, errors.HFValidationError):
        return _invalid_name(repository)
    if isinstance(error, json.JSONDecodeError):
        return HubUnavailableError(
            "The answer does not come from the Hub, but possibly from the login page of this network",
            "log in there first",
        )
    if isinstance(error, errors.RevisionNotFoundError):
        return HubNotFoundError(
            f"{repository} has no commit {revision}", "check it; `ecdbench publish` prints the one to pin"
        )
    if isinstance(error, errors.RepositoryNotFoundError):
        return HubNotFoundError(
            f"There is no repository {repository} on the Hub, or it is private and your token does not give access",
            "check the name, and set HF_TOKEN or run `hf auth login`",
        )
    return _translate_status(error, repository)


def _translate_status(error: Exception, repository: str) -> HubError | None:
    from huggingface_hub import errors

    status = _status(error)
    network = (
        errors.HTTPError,  # type: ignore[attr-defined]
        errors.LocalEntryNotFoundError,
        errors.FileMetadataError,
        ConnectionError,
        TimeoutError,
    )
    if status is None and not isinstance(error, network):
        return None
    if status is None or status in _BUSY:
        what = f"status {status}" if status else type(error.__cause__ or error).__name__
        return HubUnavailableError(
            f"The Hub does not answer ({what})", "check the connection and run the same command again, which resumes"
        )
    if status in _CONFLICT:
        return HubUnavailableError(f"Someone else changed {repository} in the meantime", "run the same command again")
    if status == 401:
        return HubError("The Hub does not accept your token", "set HF_TOKEN or run `hf auth login` again")
    if status == 403:
        return HubError(
            f"Your Hub token does not permit this for {repository}", "create one that does, or choose another name"
        )
    return HubError(f"The Hub refuses the request for {repository} (status {status})", "check the name and your token")


def _invalid_name(repository: str) -> HubError:
    return HubNotFoundError(
        f"'{repository}' is not a valid repository name", "write ORG/NAME in letters, digits, '-', '_' and '.'"
    )


def _status(error: BaseException) -> int | None:
    return getattr(getattr(error, "response", None), "status_code", None)
