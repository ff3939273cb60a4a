"""CLIP: images and texts embedded by one frozen model, kept by content."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from ...benchmark.errors import ModelError
from ..training import loop
from ..training.sources import FeatureSource, JoinedSource
from .backbone import Normalisation
from .extract import Extractor, ImageReader, Network, StoredImages
from .hub import Pretrained, load_model, open_pretrained
from .text_features import TextFeatures

if TYPE_CHECKING:
    from datasets import Dataset

    from ...benchmark.predictor import RunContext
    from ..training.sources import Source


def load_clip(name: str) -> ClipModel:
    """The CLIP model of a repository on the hub, or in a folder.

    Raises:
        ModelError: it is not there.
    """
    return open_pretrained(ClipModel, name, "CLIP model")


class ClipModel(Pretrained):
    """A CLIP model, and how it takes images."""

    @cached_property
    def model(self) -> Any:
        """The network; loaded when it is first needed."""
        from transformers import CLIPModel

        kind = json.loads((self.folder / "config.json").read_text()).get("model_type")
        if kind != "clip":
            raise ModelError(f"{self.folder} holds a model of type {kind}, not clip; give the folder of a CLIP model.")
        return load_model(CLIPModel, self.folder, "CLIP model")

    @property
    def width(self) -> int:
        """Length of an embedding."""
        return int(self.model.config.projection_dim)

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
