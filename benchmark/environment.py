"""What a run was made with."""

from __future__ import annotations

import os
import platform
import subprocess
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from .results import Environment

_PACKAGES = (
    "numpy",
    "scipy",
    "pandas",
    "scikit-learn",
    "pillow",
    "datasets",
    "torch",
    "torchvision",
    "timm",
    "transformers",
    "accelerate",
    "openai",
)
# A repository's own configuration may name programs: a monitor of files, hooks that run when the index is refreshed.
_INERT_GIT = ("-c", "core.fsmonitor=", "-c", "core.hooksPath=/dev/null", "--no-optional-locks")
_OWN_SCOPES = ("system", "global", "command")


@cache
def package_versions() -> dict[str, str]:
    """Versions of the packages that a prediction can depend on, where they are installed."""
    found = {}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def describe_environment(device: str, isolation: str) -> Environment:
    """The environment of this process, and what fits are kept from."""
    return Environment(
        ecdbench=version("ecdbench"),
        python=platform.python_version(),
        platform=f"{platform.system()} {platform.machine()}",
        cpu_count=os.cpu_count() or 1,
        device=device,
        packages=package_versions(),
        commit=_commit(Path.cwd()),
        isolation=isolation,
    )


def local_device(device: str) -> str:
    """The device of this process: under `accelerate launch`, each process has a GPU of its own."""
    rank = os.environ.get("LOCAL_RANK")
    return f"cuda:{rank}" if device == "cuda" and rank else device


def is_main_process() -> bool:
    """Whether this process is the one that reports, under `accelerate launch`; alone it always is."""
    return os.environ.get("RANK", "0") == "0"


def _commit(folder: Path) -> str | None:
    """The git commit of a folder, with `+dirty` where there are changes and `+unknown` where that cannot be seen; None
    outside a repository. The folder may be a stranger's: no program that its configuration names is run."""

    environment = os.environ | {"GIT_ALLOW_PROTOCOL": "none"}  # what is missing is not fetched

    def git(*arguments: str) -> str:
        command = ["git", *_INERT_GIT, "-C", str(folder), *arguments]
        found = subprocess.run(command, capture_output=True, text=True, check=True, timeout=10, env=environment)
        return found.stdout.strip()

    try:
        commit = git("rev-parse", "HEAD")
        settings = git("config", "--show-scope", "--name-only", "--list").splitlines()
        if any(line.split("\t")[-1].startswith("filter.") for line in settings if not line.startswith(_OWN_SCOPES)):
            return f"{commit}+unknown"  # comparing files would run the repository's filters
        changed = git("status", "--porcelain", "--ignore-submodules=all")
        return f"{commit}+dirty" if changed else commit
    except (OSError, subprocess.SubprocessError):
        return None
