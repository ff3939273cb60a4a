"""Folders of transformers models: local ones, and snapshots from the Hugging Face Hub."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, TypeVar, cast

from ...benchmark.errors import ModelError
from ...tasks.hub.hub_client import describe_failure, snapshot
from .weights import hash_of

# The files of a model; weights only as safetensors, since a pickle can execute code.
_FILES = ("*.json", "*.txt", "*.model", "*.safetensors")
_VOCABULARIES = (
    "tokenizer.json", "vocab.txt", "vocab.json", "spiece.model", "sentencepiece.bpe.model", "tokenizer.model"
)  # fmt: skip
# How transformers loads a folder: without the Hub, and without running code that the folder may bring along.
LOCAL = {"local_files_only": True, "trust_remote_code": False}
P = TypeVar("P", bound="Pretrained")


@dataclass(frozen=True)
class Pretrained:
    """A transformers model in inference mode with frozen weights. Subclasses define how `model` is loaded.

    Attributes:
        folder: with the model and its tokenizer.
        sha256: hash of its files.
    """

    folder: Path
    sha256: str

    @cached_property
    def model(self) -> Any:
        """The network, loaded on first use."""
        raise NotImplementedError

    @cached_property
    def tokenizer(self) -> Any:
        """Its tokenizer."""
        return load_tokenizer(self.folder)

    @property
    def parameters(self) -> int:
        """Number of weights."""
        return sum(parameter.numel() for parameter in self.model.parameters())


def open_pretrained(kind: type[P], name: str, what: str) -> P:
    """Open a pretrained model; folds and seeds share it, since it is never modified.

    Args:
        kind: the class.
        name: a folder, or the name of a repository on the Hub.
        what: what messages call the model.

    Raises:
        ModelError: it does not exist.
    """
    folder = find_folder(name, what)
    return _opened(cast("Any", kind), folder, hash_of_folder(folder))


@lru_cache(maxsize=2)
def _opened(kind: Any, folder: Path, sha256: str) -> Any:
    return kind(folder, sha256)


def find_folder(name: str, kind: str) -> Path:
    """The folder of a transformers model, downloaded if needed.

    Args:
        name: a folder, or the name of a repository on the Hub.
        kind: what messages call the model.

    Raises:
        ModelError: it does not exist, or lacks weights or configuration.
    """
    folder = Path(str(name)).expanduser()
    if not name or (not folder.is_dir() and (folder.exists() or len(folder.parts) > 2 or folder.is_absolute())):
        raise ModelError(f"There is no folder '{name}'; give the folder of a {kind}, or its name on the Hub.")
    if not folder.is_dir():
        folder = _download(str(name), kind)
    if not (folder / "config.json").is_file():
        raise ModelError(f"{name} is not a transformers model: it has no config.json; give the folder of one.")
    if not any(folder.glob("*.safetensors")):
        raise ModelError(f"{name} has no weights as safetensors, and nothing else is loaded; save the model again.")
    return folder


def _download(name: str, kind: str) -> Path:
    try:
        return snapshot(name, _FILES)
    except Exception as error:
        raise ModelError(
            f"The {kind} {name} is not here and cannot be downloaded: {describe_failure(error)}. "
            "Check the name, go online once, or give the path of its folder."
        ) from error


def hash_of_folder(folder: Path) -> str:
    """The sha256 over the names and hashes of a model's files."""
    files = sorted(file for pattern in _FILES for file in folder.glob(pattern))
    text = "".join(f"{file.name} {hash_of(file)}\n" for file in files)
    return hashlib.sha256(text.encode()).hexdigest()


def load_model(kind: Any, folder: Path, name: str) -> Any:
    """Load a transformers model in inference mode with frozen weights.

    Args:
        kind: the transformers class.
        folder: of the model.
        name: what messages call it.

    Raises:
        ModelError: the folder holds another kind of model, or a damaged one.
    """
    from transformers.utils import logging

    logging.disable_progress_bar()
    try:
        model, report = kind.from_pretrained(folder, **LOCAL, use_safetensors=True, output_loading_info=True)
    except Exception as error:
        reason = str(error).partition("\n")[0].rstrip(".")
        raise ModelError(
            f"{folder} cannot be loaded as a {name} ({type(error).__name__}: {reason}); save or download it again."
        ) from error
    if absent := sorted(key for key in report["missing_keys"] if not key.startswith("pooler.")):
        raise ModelError(
            f"The weights in {folder} are incomplete: {absent[0]} is missing; save or download them again."
        )
    return model.requires_grad_(False).eval()


def load_tokenizer(folder: Path) -> Any:
    """Load the tokenizer from a model's folder.

    Raises:
        ModelError: there is none.
    """
    from transformers import AutoTokenizer

    sentence = f"{folder} has no tokenizer that can be loaded; put the encoder's tokenizer files beside its weights."
    if not any((folder / name).is_file() for name in _VOCABULARIES):
        raise ModelError(sentence)  # transformers would create an empty one
    try:
        return AutoTokenizer.from_pretrained(folder, **LOCAL)
    except Exception as error:
        raise ModelError(sentence) from error
