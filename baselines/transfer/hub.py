"""Folders of transformers models: local ones, and snapshots from the hub."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from ...benchmark.errors import ModelError
from .snapshots import snapshot
from .weights import hash_of

# What a model folder consists of; weights are safetensors only, since a pickle can run code.
_FILES = ("*.json", "*.txt", "*.model", "*.safetensors")


def find_folder(name: str, kind: str) -> Path:
    """The folder of a transformers model, downloaded where needed.

    Args:
        name: a folder, or the name of a repository on the hub.
        kind: what the model is called in messages.

    Raises:
        ModelError: it is not there, or lacks weights or configuration.
    """
    folder = Path(str(name)).expanduser()
    if not name or (not folder.is_dir() and (folder.exists() or len(folder.parts) > 2 or folder.is_absolute())):
        raise ModelError(f"There is no folder '{name}'; give the folder of a {kind}, or its name on the hub.")
    if not folder.is_dir():
        folder = _download(str(name), kind)
    if not (folder / "config.json").is_file():
        raise ModelError(f"{name} is no transformers model: it has no config.json; give the folder of one.")
    if not any(folder.glob("*.safetensors")):
        raise ModelError(f"{name} has no weights as safetensors, and nothing else is loaded; save the model again.")
    return folder


def hash_of_folder(folder: Path) -> str:
    """The sha256 of the names and hashes of a model's files."""
    files = sorted(file for pattern in _FILES for file in folder.glob(pattern))
    text = "".join(f"{file.name} {hash_of(file)}\n" for file in files)
    return hashlib.sha256(text.encode()).hexdigest()


def load_model(kind: Any, folder: Path, name: str) -> Any:
    """Load a transformers model in inference mode, its weights frozen.

    Args:
        kind: the transformers class.
        folder: of the model.
        name: what it is called in messages.

    Raises:
        ModelError: the folder holds another kind of model, or a damaged one.
    """
    from transformers.utils import logging

    logging.disable_progress_bar()
    try:
        model, report = kind.from_pretrained(folder, local_files_only=True, output_loading_info=True)
    except Exception as error:
        reason = str(error).partition("\n")[0].rstrip(".")
        raise ModelError(f"{folder} cannot be loaded as a {name} ({type(error).__name__}: {reason}).") from error
    if absent := sorted(key for key in report["missing_keys"] if not key.startswith("pooler.")):
        raise ModelError(f"The weights in {folder} are not whole: {absent[0]} is missing; save or download them again.")
    return model.requires_grad_(False).eval()


def _download(name: str, kind: str) -> Path:
    try:
        return snapshot(name, *_FILES)
    except Exception as error:
        reason = str(error).partition("\n")[0].rstrip(".")
        raise ModelError(
            f"The {kind} {name} is not here and cannot be downloaded ({type(error).__name__}: {reason}). "
            "Check the name, go online once, or give the path of its folder."
        ) from error
