"""CLIP: a frozen joint encoder of images and texts, and a linear head on its embeddings."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import cached_property
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, ClassVar

from ..benchmark.errors import ModelError
from .training.device import require_torch
from .training.sources import JoinedSource
from .transfer.backbone import Normalisation
from .transfer.feature_extraction import FrozenForward, ImageFeatures, TextFeatures
from .transfer.image_batches import ImageReader
from .transfer.pretrained import LOCAL, Pretrained, load_model, open_pretrained
from .transfer.staged_training import StagedPredictor

if TYPE_CHECKING:
    from datasets import Dataset

    from ..benchmark.predictor import RunContext
    from .training.sources import Source
    from .transfer.staged_training import StagedTraining


@dataclass(kw_only=True, eq=False)
class Clip(StagedPredictor):
    """A linear head on CLIP's frozen embeddings of image and text.

    The embeddings are concatenated (with `--text none` there is the image's alone); then dropout and one linear neuron,
    trained as in `frozen`. CLIP reads 77 tokens; longer texts are truncated.

    Args:
        model: a CLIP model on the hub, or a folder.
        batch_size: samples per step.
        learning_rate: learning rate of Adam, for targets on the scale of `sfe`.
        patience: stop after this many epochs without a lower validation loss.
        max_epochs: maximum number of epochs.
        dropout: dropout rate of the head.
        views: augmented views of each training image; 0 for no augmentation.
        precision: `float32`, `bfloat16`, or `auto`: bfloat16 on a GPU.
    """

    model: str = "openai/clip-vit-base-patch32"
    batch_size: int = 8
    learning_rate: float = 0.01
    inputs: tuple[str, ...] = field(default=("image", "text"), init=False, repr=False)
    search: ClassVar = {"learning_rate": "1e-4:0.5:log", "batch_size": "4:12:2"}

    def __post_init__(self) -> None:
        super().__post_init__()
        self._settings = self.loop_settings(self.batch_size, self.learning_rate)

    def fingerprint(self) -> dict[str, Any]:
        """Hash of the model's files."""
        require_torch()
        return {"model_sha256": load_clip(self.model).sha256}

    def train_stages(self, training: StagedTraining, train: Dataset, context: RunContext) -> None:
        """Train the head."""
        from .transfer.networks import ConcatenatedInputs, linear_head

        self._clip = load_clip(self.model)
        embeddings = _Embeddings(self._clip, self.views, self.precision, context)
        width = self._clip.width * (2 if "text" in train.column_names else 1)
        training.run(
            "head", lambda: ConcatenatedInputs(linear_head(width, self.dropout)), embeddings.source, self._settings
        )

    def describe(self) -> dict[str, Any]:
        """The model, the hash of its files, and its number of parameters."""
        clip = self._clip
        return {"encoder": clip.folder.name, "model_sha256": clip.sha256, "parameters": clip.parameters}


def load_clip(name: str) -> ClipModel:
    """Load a CLIP model by its name on the hub, or from a folder.

    Raises:
        ModelError: it cannot be found.
    """
    return open_pretrained(ClipModel, name, "CLIP model")


class ClipModel(Pretrained):
    """A pretrained CLIP model."""

    @cached_property
    def model(self) -> Any:
        """The network, loaded on first use.

        Raises:
            ModelError: the folder holds another kind of model.
        """
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
        """Reads images as CLIP takes them, each resized to its square without cropping."""
        from transformers import AutoImageProcessor
        from transformers.image_utils import OPENAI_CLIP_MEAN, OPENAI_CLIP_STD

        try:
            settings = AutoImageProcessor.from_pretrained(self.folder, **LOCAL)
            normalisation = Normalisation(tuple(settings.image_mean), tuple(settings.image_std))
        except (OSError, ValueError, ImportError):
            normalisation = Normalisation(tuple(OPENAI_CLIP_MEAN), tuple(OPENAI_CLIP_STD))
        side = int(self.model.config.vision_config.image_size)
        return ImageReader((side, side), normalisation, device)


@dataclass(frozen=True)
class _Embeddings:
    """CLIP's embeddings during one fit.

    Attributes:
        clip: the pretrained model.
        views: augmented views of each training image.
        precision: as in `LoopSettings`.
        context: the run.
    """

    clip: ClipModel
    views: int
    precision: str
    context: RunContext

    def source(self, data: Dataset, training: bool) -> Source:
        """Embeddings of images and, if the table has any, of texts."""
        sources: list[Source] = [self._images.source(data, self.views if training else 0)]
        if "text" in data.column_names:
            sources.append(self._texts.source(data))
        return JoinedSource(sources)

    @cached_property
    def _images(self) -> ImageFeatures:
        recipe = {"version": 1, "model": self.clip.sha256, "side": "image", "transformers": version("transformers")}
        reader = self.clip.reader(self.context.device)
        return ImageFeatures(self._image_network, recipe, reader, self.precision, self.context)

    def _image_network(self) -> FrozenForward:
        model = self.clip.model.to(self.context.device)
        return lambda images: model.get_image_features(pixel_values=images).pooler_output

    @cached_property
    def _texts(self) -> TextFeatures:
        recipe = {"version": 1, "model": self.clip.sha256, "side": "text"}
        max_tokens = int(self.clip.model.config.text_config.max_position_embeddings)
        return TextFeatures(self._text_network, recipe, self.clip.tokenizer, max_tokens, self.context)

    def _text_network(self) -> FrozenForward:
        model = self.clip.model.to(self.context.device)
        return lambda tokens, mask: model.get_text_features(input_ids=tokens, attention_mask=mask).pooler_output
