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


def describe_environment(device: str) -> Environment:
    """The environment of this process."""
    return Environment(
        ecdbench=version("ecdbench"),
        python=platform.python_version(),
        platform=f"{platform.system()} {platform.machine()}",
        cpu_count=os.cpu_count() or 1,
        device=device,
        packages=package_versions(),
        commit=_commit(Path.cwd()),
    )


def local_device(device: str) -> str:
    """The device of this process: under `accelerate launch`, each process has a GPU of its own."""
    rank = os.environ.get("LOCAL_RANK")
    return f"cuda:{rank}" if device == "cuda" and rank else device


def is_main_process() -> bool:
    """Whether this process is the one that reports, under `accelerate launch`; alone it always is."""
    return os.environ.get("RANK", "0") == "0"


def _commit(folder: Path) -> str | None:
    """The git commit of a folder, with `+dirty` where there are changes; None outside a repository."""

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(folder), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.strip()

    try:
        return git("rev-parse", "HEAD") + ("+dirty" if git("status", "--porcelain") else "")
    except (OSError, subprocess.SubprocessError):
        return None
