"""Push a folder to the Hugging Face Hub."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...benchmark.task import revision_of
from ..folder import MANIFEST, read_manifest
from ..hub import bars_for_people_only, endpoint
from .ask import PublishError, ask_hub

# What a repository holds before anything was pushed to it.
_EMPTY = {".gitattributes"}


@dataclass(frozen=True)
class Pushed:
    """Where a folder is on the Hub: the commit, and whether the push changed anything."""

    repository: str
    url: str
    commit: str
    changed: bool
    private: bool


@dataclass(frozen=True)
class Published(Pushed):
    """Where a dataset is on the Hub: the commit to pin, and its tag."""

    tag: str


def push_dataset(folder: Path, repository: str, private: bool, pause: float = 1.0) -> Published:
    """Push a staged folder as one commit, and tag it by its content. What is there already is not sent again.

    Args:
        folder: as `stage_dataset` leaves it.
        repository: `ORG/NAME`; made where there is none.
        private: make it private.
        pause: seconds before a busy Hub is asked again; doubles each time.

    Raises:
        PublishError: no token, or one that may not write there; the repository holds something else.
        ServiceError: the Hub does not answer; the same command again completes the push.
    """
    from huggingface_hub import HfApi

    manifest = read_manifest(folder)
    revision = revision_of(manifest["content_sha256"])

    def check(api: Any, before: Any) -> None:
        _check_same_dataset(api, before, manifest["dataset"], pause)

    message = f"{manifest['dataset']}, content {revision}"
    pushed = push_folder(folder, repository, "dataset", private, message, check, pause)
    tag = f"content-{revision}"
    api = HfApi(endpoint=endpoint())
    ask_hub(
        lambda: api.create_tag(repository, tag=tag, revision=pushed.commit, repo_type="dataset", exist_ok=True),
        repository,
        pause,
    )
    return Published(**vars(pushed), tag=tag)


def push_folder(
    folder: Path,
    repository: str,
    kind: str,
    private: bool,
    message: str,
    check: Callable[[Any, Any], None],
    pause: float = 1.0,
) -> Pushed:
    """Push a folder as one commit that makes the repository hold just this.

    Args:
        folder: what to push.
        repository: `ORG/NAME`; made where there is none.
        kind: `dataset` or `space` (a static one).
        private: make it private.
        message: of the commit.
        check: refuses, by raising, a repository that holds something else; called with the client and what the Hub
            says of the repository.
        pause: seconds before a busy Hub is asked again; doubles each time.

    Raises:
        PublishError: no token, or one that may not write there.
        ServiceError: the Hub does not answer; the same command again completes the push.
    """
    from huggingface_hub import HfApi

    check_name(repository)
    bars_for_people_only()
    api = HfApi(endpoint=endpoint())
    sdk = "static" if kind == "space" else None

    def info() -> Any:
        return ask_hub(lambda: api.repo_info(repository, repo_type=kind), repository, pause)

    _check_token(ask_hub(api.whoami, repository, pause), repository)
    ask_hub(
        lambda: api.create_repo(repository, repo_type=kind, private=private, exist_ok=True, space_sdk=sdk),
        repository,
        pause,
    )
    before = info()
    if private and not before.private:
        raise PublishError(
            f"{repository} exists and is public; make it private on the Hub first, or take another name."
        )
    check(api, before)
    ask_hub(
        lambda: api.upload_folder(
            repo_id=repository,
            repo_type=kind,
            folder_path=folder,
            delete_patterns="*",
            parent_commit=before.sha,
            commit_message=message,
        ),
        repository,
        pause,
    )
    after = info()
    url = f"{api.endpoint}/{kind}s/{repository}"
    return Pushed(repository, url, after.sha, after.sha != before.sha, bool(after.private))


def check_name(repository: str) -> None:
    """Refuse what is no ORG/NAME. Raises PublishError."""
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]

    try:
        validate_repo_id(repository)
    except HFValidationError as error:
        raise PublishError(
            f"'{repository}' is no name of a repository: write ORG/NAME in letters, digits, '-', '_' and '.'."
        ) from error
    if repository.count("/") != 1 or not repository.replace("/", "").strip("."):
        raise PublishError(f"'{repository}' names no owner; write ORG/NAME.")


def _check_token(account: Any, repository: str) -> None:
    owner = repository.partition("/")[0]
    owners = {account.get("name"), *(one.get("name") for one in account.get("orgs", ()))}
    role = account.get("auth", {}).get("accessToken", {}).get("role")
    if role == "read":
        raise PublishError("Your Hub token may only read; make one that may write at huggingface.co/settings/tokens.")
    if owner not in owners:
        raise PublishError(
            f"Your Hub token belongs to {account.get('name')}, who is not in the organisation {owner}; publish under "
            f"{', '.join(sorted(filter(None, owners)))}."
        )


def _check_same_dataset(api: Any, info: Any, dataset: str, pause: float) -> None:
    """Refuse a repository that holds anything but an earlier push of this dataset."""
    files = {file.rfilename for file in info.siblings or ()}
    if files <= _EMPTY:
        return
    other: object = "other files"
    if MANIFEST in files:
        path = ask_hub(
            lambda: api.hf_hub_download(info.id, MANIFEST, repo_type="dataset", revision=info.sha), info.id, pause
        )
        try:
            other = json.loads(Path(path).read_text(encoding="utf-8"))["dataset"]
        except (ValueError, KeyError, TypeError):
            other = "another dataset"
    if other != dataset:
        raise PublishError(
            f"{info.id} exists and holds {other}, not {dataset}; take another name, or delete that "
            "repository on the Hub first."
        )
