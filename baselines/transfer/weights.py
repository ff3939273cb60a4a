"""Weights of image networks: from the hub, from a file, or random on request."""

from __future__ import annotations

import hashlib
import zipfile
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlparse

from ...benchmark.errors import ModelError
from ...benchmark.storage import sha256_file
from ...tasks.hub.hub_client import describe_failure, snapshot

if TYPE_CHECKING:
    import torch
    from torch import nn

RANDOM = "random"
PRETRAINED = "pretrained"
_MOST = 2  # times its size may a checkpoint unpack to: torch.save compresses nothing
# Prefixes, in timm's names, of a network's top, which a weights file may hold and which is not loaded.
_TOPS = ("AuxLogits.", "pre_logits.", "head.", "fc.", "classifier.", "head_dist.")


@dataclass(frozen=True)
class Weights:
    """Where the weights of a network come from.

    Attributes:
        kind: `pretrained` (from the hub), `file` or `random`.
        path: the weights file; None for random weights.
        sha256: of the file; for random weights, which are drawn with a fixed seed, of the network's name.
    """

    kind: str
    path: Path | None
    sha256: str

    def as_dict(self) -> dict[str, str]:
        """What a result records of them."""
        name = {"weights": self.kind} if self.path is None else {"weights": f"{self.kind} {self.path.name}"}
        return name | {"weights_sha256": self.sha256}


def find_weights(network: str, weights: str) -> Weights:
    """Find weights, downloading them if needed.

    Args:
        network: timm name.
        weights: `pretrained`, `random`, or the path of a safetensors file or of a checkpoint of plain tensors.

    Raises:
        ModelError: the file does not exist or cannot be downloaded.
    """
    if weights == RANDOM:
        return Weights(RANDOM, None, hashlib.sha256(f"random/{network}".encode()).hexdigest())
    kind, path = (
        (PRETRAINED, _download(network)) if weights == PRETRAINED else ("file", Path(str(weights)).expanduser())
    )
    if not path.is_file():
        raise ModelError(
            f"There is no weights file {weights}; give a path, weights={PRETRAINED} for the hub's, or "
            f"weights={RANDOM} for random ones."
        )
    return Weights(kind, path, hash_of(path))


def hash_of(path: Path) -> str:
    """The sha256 of a file, computed again only when the file changes."""
    state = path.stat()
    return _cached_hash(path.resolve(), state.st_size, state.st_mtime_ns)


@lru_cache
def _cached_hash(path: Path, size: int, changed: int) -> str:
    return sha256_file(path)


def load_weights(network: nn.Module, weights: Weights) -> None:
    """Load weights into a network without top; random ones stay as they were drawn.

    Raises:
        ModelError: the file is damaged, holds more than plain tensors, or belongs to another network.
    """
    if weights.path is None:
        return
    content = _read(weights.path)
    expected = network.state_dict()
    absent = [name for name in expected if name not in content and not name.endswith("num_batches_tracked")]
    foreign = [name for name in content if name not in expected and not name.startswith(_TOPS)]
    if absent or foreign:
        difference = f"{absent[0]} is missing" if absent else f"{foreign[0]} is unexpected"
        raise ModelError(f"{weights.path} holds the weights of another network ({difference}); name its backbone.")
    for name, value in expected.items():
        if name in content and content[name].shape != value.shape:
            shapes = f"{name} has shape {tuple(content[name].shape)}, not {tuple(value.shape)}"
            raise ModelError(f"{weights.path} holds the weights of another network ({shapes}); name its backbone.")
    if bad := next((name for name, value in content.items() if not value.isfinite().all()), None):
        raise ModelError(f"{weights.path} holds numbers that are not finite ({bad}); download it again.")
    network.load_state_dict({name: content.get(name, value) for name, value in expected.items()})


def _read(path: Path) -> dict[str, torch.Tensor]:
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    with path.open("rb") as file:
        beginning = file.read(9)
    if path.suffix == ".safetensors" or beginning[8:] == b"{":  # an eight-byte length, then JSON
        try:
            return load_file(path)
        except SafetensorError as error:
            raise ModelError(f"{path} is not a complete safetensors file ({error}); download it again.") from error
    if (size := _unpacked_size(path)) > _MOST * path.stat().st_size:
        raise ModelError(f"{path} unpacks to {size >> 20:,} MiB, far more than its size; save it with torch.save.")
    try:
        content: Any = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise ModelError(
            f"{path} is not a checkpoint of plain tensors, and nothing else is loaded; save it as safetensors."
        ) from error
    content = content.get("state_dict", content) if isinstance(content, dict) else content
    if not isinstance(content, dict) or not all(isinstance(value, torch.Tensor) for value in content.values()):
        raise ModelError(f"{path} does not hold tensors by name; save the network's state_dict as safetensors.")
    return content


def _unpacked_size(path: Path) -> int:
    """Bytes that a zip archive states to hold; 0 for another file."""
    try:
        with zipfile.ZipFile(path) as archive:
            return sum(member.file_size for member in archive.infolist())
    except (zipfile.BadZipFile, ValueError):
        return 0


def _download(network: str) -> Path:
    import timm
    import torch.hub

    config = timm.get_pretrained_cfg(network)
    if config is None or not config.has_weights:
        raise ModelError(f"timm has no pretrained weights for {network}; give --set weights=PATH.")
    try:
        if config.hf_hub_id:
            return snapshot(config.hf_hub_id, ["model.safetensors"]) / "model.safetensors"
        file = Path(torch.hub.get_dir()) / "checkpoints" / Path(urlparse(config.url).path).name
        if not file.is_file():
            file.parent.mkdir(parents=True, exist_ok=True)
            torch.hub.download_url_to_file(config.url, str(file), progress=False)
        return file
    except Exception as error:
        raise ModelError(
            f"The pretrained weights of {network} are not on this machine and cannot be downloaded: "
            f"{describe_failure(error)}. Go online once, or give --set weights=PATH; random weights are used only with "
            "--set weights=random."
        ) from error
