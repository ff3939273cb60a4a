"""Publish on the Hugging Face Hub: stage the exact folder of a dataset, then push it as one commit."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from ...benchmark.errors import DataError
from ...benchmark.storage import write_text
from ...benchmark.untrusted import parse_json
from ..catalogue import find_dataset
from ..datasets import DatasetDefinition, DatasetFacts
from ..datasets.folder import DatasetFolder
from ..datasets.manifest import FILES, MANIFEST, checked_file, companions, read_manifest
from .hub_client import HubError, call_hub, check_repository_name, hub_api, limit_progress_bars
from .release_check import check_dataset, check_license

_LEADERBOARD_DEFINITION = "eval.yaml"
# The metric of each kind of target by which the Hub ranks: it ranks by one number, larger being better.
HUB_METRIC = {"regression": "skill", "classification": "roc_auc"}
# The files of a repository to which nothing has been pushed yet.
_INITIAL_FILES = {".gitattributes"}


@dataclass(frozen=True)
class Pushed:
    """A pushed folder on the Hub.

    Attributes:
        repository: `ORG/NAME`.
        url: of the repository.
        commit: of the folder.
        changed: whether the push made a new commit.
        private: whether the repository is private.
    """

    repository: str
    url: str
    commit: str
    changed: bool
    private: bool


@dataclass(frozen=True)
class Published(Pushed):
    """A published dataset on the Hub: a pushed folder and its tag."""

    tag: str


def stage_dataset(reference: str, data_dir: Path, out: Path, permitted: bool) -> DatasetFacts:
    """Write the exact folder that a repository is to hold: data, card, manifest, Croissant, leaderboard definition.

    Args:
        reference: the dataset: its name, its folder, or a published copy.
        data_dir: where datasets that are not packaged are.
        out: the folder to fill; an earlier one of this kind is replaced.
        permitted: the user has permission to publish data whose license is not stated.

    Returns:
        The facts that the dataset states about itself.

    Raises:
        DataError: there is no such dataset, it is not fit for release, or `out` holds something else.
    """
    if out.exists() and not (out / _LEADERBOARD_DEFINITION).is_file():
        raise DataError(f"{out} was not written by an earlier dry run; move it away first.")
    dataset = find_dataset(reference)
    check_license(dataset.facts, permitted)
    with tempfile.TemporaryDirectory() as scratch:
        source = _dataset_folder(dataset, data_dir, Path(scratch))
        if source.resolve() == out.resolve():
            raise DataError(f"{out} is the dataset itself; publish it under another name, or without --dry-run.")
        facts = check_dataset(source, permitted)
        if out.exists():
            shutil.rmtree(out)
        _copy_files(source, out)
    definition = yaml.safe_dump(leaderboard_definition(facts), sort_keys=False, allow_unicode=True, width=100)
    write_text(out / _LEADERBOARD_DEFINITION, definition)
    return facts


def _dataset_folder(dataset: DatasetDefinition, data_dir: Path, scratch: Path) -> Path:
    """The dataset as a folder that needs no ecdbench to be looked at: with the views that are synthesised here, and
    files of another form as parquet; written to `scratch` where that differs from what is there."""
    opened = dataset.open(data_dir)
    if isinstance(opened, DatasetFolder):
        from ..builder.views_folder import has_views, write_views_folder

        if has_views(opened):
            return opened.folder
        write_views_folder(opened, scratch)
        return scratch
    from ..builder.table_folder import write_table_folder

    write_table_folder(dataset.facts, (dataset.manifest(data_dir) or {})["targets"], opened, scratch)
    return scratch


def _copy_files(source: Path, out: Path) -> None:
    out.mkdir(parents=True)
    for name in {*FILES, *companions(source)}:
        shutil.copyfile(checked_file(source, name), out / name)


def leaderboard_definition(facts: DatasetFacts) -> dict[str, Any]:
    """The Hub's `eval.yaml` (huggingface.co/docs/hub/eval-results): one task per target, scored on the holdout.

    The Hub ranks by one number, larger being better: for regression the skill, 1 - RMSE / RMSE of the training mean,
    which ranks as RMSE does.
    """
    values = {
        "regression": "the skill, 1 - RMSE / RMSE(mean of train): 1 is perfect, 0 is the training mean",
        "classification": "the area under the ROC curve: 1 is perfect, 0.5 is chance",
    }
    kinds = dict.fromkeys(target.kind for target in facts.targets)
    names = {kind: ", ".join(target.name for target in facts.targets if target.kind == kind) for kind in kinds}
    meaning = "; ".join(f"for {names[kind]} {values[kind]}" for kind in kinds)
    return {
        "name": f"{facts.id}: {facts.title}",
        "description": (
            f"{facts.title}. One task for each target, scored on the fixed holdout. The value is, {meaning}. "
            "Intervals, coverage and other metrics come with `ecdbench evaluate MODEL --task "
            "ORG/NAME@COMMIT/TARGET`."
        ),
        "evaluation_framework": "ecdbench",
        "tasks": [{"id": target.name, "config": "default", "split": "holdout"} for target in facts.targets],
    }


def push_dataset(folder: Path, repository: str, private: bool, pause: float = 1.0) -> Published:
    """Push a staged folder as one commit, and tag it by its content. Unchanged files are not sent again.

    Args:
        folder: as `stage_dataset` writes it.
        repository: `ORG/NAME`; created if it does not exist.
        private: make it private.
        pause: seconds before a busy Hub is asked again; doubles each time.

    Raises:
        HubError: there is no token with permission to write, or the repository holds something else.
        ServiceError: the Hub does not answer; the same command completes the push.
    """
    manifest = read_manifest(folder)
    revision = _content_revision(manifest)

    def check(api: Any, before: Any) -> None:
        _check_same_dataset(api, before, manifest["dataset"], pause)

    message = f"{manifest['dataset']}, content {revision}"
    pushed = push_folder(folder, repository, "dataset", private, message, check, pause)
    tag, api = f"content-{revision}", hub_api()
    call_hub(
        lambda: api.create_tag(repository, tag=tag, revision=pushed.commit, repo_type="dataset", exist_ok=True),
        repository,
        pause,
    )
    return Published(**vars(pushed), tag=tag)


def push_folder(
    folder: Path,
    repository: str,
    repo_type: str,
    private: bool,
    message: str,
    check: Callable[[Any, Any], None],
    pause: float = 1.0,
) -> Pushed:
    """Push a folder as one commit, after which the repository holds exactly its files.

    Args:
        folder: what to push.
        repository: `ORG/NAME`; created if it does not exist.
        repo_type: `dataset` or `space` (a static one).
        private: make it private.
        message: of the commit.
        check: called with the client and the Hub's information on the repository; raises to refuse what it holds.
        pause: seconds before a busy Hub is asked again; doubles each time.

    Raises:
        HubError: there is no token with permission to write.
        ServiceError: the Hub does not answer; the same command completes the push.
    """
    check_repository_name(repository)
    limit_progress_bars()
    api = hub_api()
    sdk = "static" if repo_type == "space" else None

    def info() -> Any:
        return call_hub(lambda: api.repo_info(repository, repo_type=repo_type), repository, pause)

    _check_token(call_hub(api.whoami, repository, pause), repository)
    call_hub(
        lambda: api.create_repo(repository, repo_type=repo_type, private=private, exist_ok=True, space_sdk=sdk),
        repository,
        pause,
    )
    before = info()
    if private and not before.private:
        raise HubError(f"{repository} exists and is public", "make it private on the Hub first, or choose another name")
    check(api, before)
    call_hub(
        lambda: api.upload_folder(
            repo_id=repository,
            repo_type=repo_type,
            folder_path=folder,
            delete_patterns="*",
            parent_commit=before.sha,
            commit_message=message,
        ),
        repository,
        pause,
    )
    after = info()
    url = f"{api.endpoint}/{repo_type}s/{repository}"
    return Pushed(repository, url, after.sha, after.sha != before.sha, bool(after.private))


def _check_token(account: Any, repository: str) -> None:
    owner = repository.partition("/")[0]
    owners = {account.get("name"), *(one.get("name") for one in account.get("orgs", ()))}
    role = account.get("auth", {}).get("accessToken", {}).get("role")
    if role == "read":
        raise HubError(
            "Your Hub token is read-only", "create one with write permission at huggingface.co/settings/tokens"
        )
    if owner not in owners:
        raise HubError(
            f"Your Hub token belongs to {account.get('name')}, who is not in the organisation {owner}",
            f"publish under {', '.join(sorted(filter(None, owners)))}",
        )


def _check_same_dataset(api: Any, info: Any, dataset: str, pause: float) -> None:
    """Refuse a repository that holds anything but an earlier version of this dataset."""
    files = {file.rfilename for file in info.siblings or ()}
    if files <= _INITIAL_FILES:
        return
    other: object = "other files"
    if MANIFEST in files:
        path = call_hub(
            lambda: api.hf_hub_download(info.id, MANIFEST, repo_type="dataset", revision=info.sha), info.id, pause
        )
        try:
            other = parse_json(Path(path).read_text(encoding="utf-8"))["dataset"]
        except (ValueError, KeyError, TypeError):
            other = "another dataset"
    if other != dataset:
        raise HubError(
            f"{info.id} exists and holds {other}, not {dataset}",
            "choose another name, or delete that repository on the Hub first",
        )


def _content_revision(manifest: Mapping[str, Any]) -> str:
    """Twelve digits that stand for the content: a hash of the hashes of its columns."""
    text = json.dumps(manifest["column_sha256"], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]
