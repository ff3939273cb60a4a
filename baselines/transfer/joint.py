"""CLIP: images and texts embedded by one frozen model, kept by content."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property, lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...benchmark.errors import ModelError
from ..training import loop
from ..training.sources import FeatureSource, JoinedSource
from .backbone import Normalisation
from .extract import Extractor, ImageReader, Network, StoredImages
from .hub import find_folder, hash_of_folder, load_model
from .text_features import TextFeatures, load_tokenizer

if TYPE_CHECKING:
    from datasets import Dataset

    from ...benchmark.predictor import RunContext
    from ..training.sources import Source


def load_clip(name: str) -> ClipModel:
    """A CLIP model; folds and seeds share it, since nothing changes it.

    Raises:
        ModelError: it is not there.
    """
    folder = find_folder(name, "CLIP model")
    return _clip_of(folder, hash_of_folder(folder))


@lru_cache(maxsize=2)
def _clip_of(folder: Path, sha256: str) -> ClipModel:
    return ClipModel(folder, sha256)


@dataclass(frozen=True)
class ClipModel:
    """A CLIP model in inference mode, its weights frozen.

    Attributes:
        folder: of the model, its tokenizer and its image settings.
        sha256: hash of its files.
    """

    folder: Path
    sha256: str

    @cached_property
    def model(self) -> Any:
        """The network; loaded when it is first needed."""
        from transformers import CLIPModel

        kind = json.loads((self.folder / "config.json").read_text()).get("model_type")
        if kind != "clip":
            raise ModelError(f"{self.folder} holds a model of type {kind}, not clip; give the folder of a CLIP model.")
        return load_model(CLIPModel, self.folder, "CLIP model")

    @cached_property
    def tokenizer(self) -> Any:
        """Its tokenizer."""
        return load_tokenizer(self.folder)

    @property
    def width(self) -> int:
        """Length of an embedding."""
        return int(self.model.config.projection_dim)

    @property
    def parameters(self) -> int:
        """Number of weights."""
        return sum(parameter.numel() for parameter in self.model.parameters())

    def reader(self, device: str) -> ImageReader:
        """Images as CLIP takes them; the whole image is squeezed into its square."""
        from transformers import AutoImageProcessor
        from transformers.image_utils import OPENAI_CLIP_MEAN, OPENAI_CLIP_STD

        try:
            settings = AutoImageProcessor.from_pretrained(self.folder, local_files_only=True)
            scaling = Normalisation(tuple(settings.image_mean), tuple(settings.image_std))
        except (OSError, ValueError, ImportError):
            scaling = Normalisation(tuple(OPENAI_CLIP_MEAN), tuple(OPENAI_CLIP_STD))
        side = int(self.model.config.vision_config.image_size)
        return ImageReader((side, side), scaling, device)


@dataclass(frozen=True)
class ClipBranch:
    """Both sides of CLIP during one fit.

    Attributes:
        encoder: the pretrained model.
        views: augmented views of each training image.
        precision: as in `LoopSettings`.
        context: the run.
    """

    encoder: ClipModel
    views: int
    precision: str
    context: RunContext

    def source(self, data: Dataset, training: bool) -> Source:
        """Embeddings of images and, where there are any, of texts."""
        images = StoredImages(data)
        bank = self._images.bank(images, self.views) if training and self.views else None
        sources: list[Source] = [FeatureSource(self._images.plain(images), bank, self.context.device)]
        if "text" in data.column_names:
            rows = self._texts.rows(list(data["text"]))
            sources.append(FeatureSource(rows, None, self.context.device))
        return JoinedSource(sources)

    @cached_property
    def _images(self) -> Extractor:
        recipe = {"version": 1, "model": self.encoder.sha256, "side": "image", "transformers": version("transformers")}
        reduced = loop.is_reduced(self.precision, self.context.device)
        return Extractor(self._image_network, recipe, self.encoder.reader(self.context.device), self.context, reduced)

    def _image_network(self) -> Network:
        model = self.encoder.model.to(self.context.device)
        return lambda images: model.get_image_features(pixel_values=images).pooler_output

    @cached_property
    def _texts(self) -> TextFeatures:
        recipe = {"version": 1, "model": self.encoder.sha256, "side": "text"}
        most = int(self.encoder.model.config.text_config.max_position_embeddings)
        return TextFeatures(self._text_network, recipe, self.encoder.tokenizer, most, self.context)

    def _text_network(self) -> Network:
        model = self.encoder.model.to(self.context.device)
        return lambda tokens, mask: model.get_text_features(input_ids=tokens, attention_mask=mask).pooler_output
