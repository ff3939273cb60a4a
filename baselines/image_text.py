"""Image and text together: a fine-tuned image network joined with a text encoder."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar

from ..benchmark.errors import ModelError
from .finetuned import Finetuned
from .hyperparameters import require_choice, require_integer, require_positive
from .training.device import require_torch
from .training.sources import JoinedSource
from .transfer.backbone import ALL
from .transfer.text_encoder import TextEncoder, load_text_model

if TYPE_CHECKING:
    from datasets import Dataset
    from torch import nn

    from ..benchmark.predictor import RunContext
    from .training.sources import Source
    from .transfer.staged_training import MakeSource, StagedTraining

_MODALITIES = {"image": ("image",), "text": ("text",), "both": ("image", "text")}


@dataclass(kw_only=True, eq=False)
class ImageText(Finetuned):
    """A fine-tuned image network joined with a text encoder, trained in four stages.

    As in Tables 3 and 13 of arXiv 2401.09301: image head; last layers of the image network; joint head on both, frozen
    (output of the image model and mean token embedding of the encoder, Dense 32, dropout, Dense 1); the same with the
    last layers of both. Each stage is scored. Unlike the paper's mean, this one excludes padding.

    Args:
        encoder: `roberta-base`, `albert-base-v2`, any transformers encoder on the hub, or a folder.
        modality: `both`, `image` (the first two stages) or `text` (the last two, without image).
        fusion: `scalar` joins the image model's one output, as in Table 3; `features` its pooled features.
        max_tokens: texts are truncated to this many tokens.
        text_layers: number of the encoder's last blocks that the fourth stage trains; `all`, or 0 to leave it out.
        joint_rate: learning rate of the joint head.
        layers: stages of the image network, as in `finetuned`.
        finetuning_rate: learning rate of the stages that train parts of the networks.
        batch_norm: as in `finetuned`.
        backbone: as in `frozen`.
        weights: as in `frozen`, of the image network.
        batch_size: as in `frozen`.
        learning_rate: as in `frozen`, for the image head.
        patience: as in `frozen`, in every stage.
        max_epochs: as in `frozen`, in every stage.
        dropout: as in `frozen`, for both heads.
        views: as in `frozen`.
        size: as in `frozen`.
        precision: as in `frozen`.
    """

    encoder: str = "roberta-base"
    modality: str = "both"
    fusion: str = "scalar"
    max_tokens: int = 100
    text_layers: int | str = 2
    joint_rate: float = 1e-3
    inputs: tuple[str, ...] = field(default=("image", "text"), init=False, repr=False)
    search: ClassVar = {"joint_rate": "1e-4:0.1:log", "batch_size": "4:12:2"}

    def __post_init__(self) -> None:
        super().__post_init__()
        require_choice("modality", self.modality, _MODALITIES)
        require_choice("fusion", self.fusion, ("scalar", "features"))
        require_positive("joint_rate", self.joint_rate)
        require_integer("max_tokens", self.max_tokens)
        if self.text_layers != ALL:
            require_integer("text_layers", self.text_layers, minimum=0)
        self.inputs = _MODALITIES[self.modality]

    def fingerprint(self) -> dict[str, Any]:
        """Weights of the image network and hash of the encoder's files."""
        found: dict[str, Any] = {}
        if "image" in self.inputs:
            found |= super().fingerprint()
        if "text" in self.inputs:
            require_torch()
            found["encoder_sha256"] = load_text_model(self.encoder).sha256
        return found

    def train_stages(self, training: StagedTraining, train: Dataset, context: RunContext) -> None:
        """Train the four stages, or those of one modality."""
        image: nn.Module | None = None
        if "text" in self.inputs:
            self._text = self._make_text_encoder(train, context)
        if "image" in self.inputs:
            image = self.train_image_network(training, train, context)
        if "text" in self.inputs:
            self.train_joint(training, image)

    def train_joint(self, training: StagedTraining, image: nn.Module | None) -> None:
        """Train the joint head on frozen networks, then the last layers of both with it.

        Args:
            training: the stages so far.
            image: trained layers and head of the image network, in sequence; None without image.
        """
        from torch import nn

        from .transfer.networks import FrozenNetwork, Fusion

        pretrained = self._text.pretrained
        prefix, joined, width = "text", None, pretrained.width
        if image is not None:
            prefix = "image + text"
            joined = image[0] if self.fusion == "features" else image
            width += self._image.backbone.width if self.fusion == "features" else 1

        def head_only() -> nn.Module:
            frozen = None if joined is None else FrozenNetwork(copy.deepcopy(joined))
            return Fusion(frozen, nn.Identity(), width, self.dropout)

        settings = replace(self.head_settings(), learning_rate=self.joint_rate)
        head = training.run(f"{prefix} head", head_only, self._joined(self._text.pooled_inputs), settings).head
        if self.text_layers == 0:
            return

        def with_last_layers() -> nn.Module:
            network = Fusion(copy.deepcopy(joined), pretrained.trainable(self.text_layers), width, self.dropout)
            network.head.load_state_dict(head.state_dict())
            return network

        settings = replace(settings, learning_rate=self.finetuning_rate)
        training.run(f"{prefix} tuned", with_last_layers, self._joined(self._text.token_inputs), settings)

    def describe(self) -> dict[str, Any]:
        """The image network as in `frozen`; the encoder, its hash and number of parameters."""
        found = super().describe() if "image" in self.inputs else {}
        if "text" in self.inputs:
            pretrained = self._text.pretrained
            found |= {"encoder": pretrained.folder.name, "encoder_sha256": pretrained.sha256}
            found["encoder_parameters"] = pretrained.parameters
        return found

    def _joined(self, text: MakeSource) -> MakeSource:
        """Inputs of the image network, if there is one, and of the text encoder."""
        if "image" not in self.inputs:
            return text

        def source(data: Dataset, training: bool) -> Source:
            image = self._image.inputs_of(self._layer_stages[-1])
            return JoinedSource((image(data, training), text(data, training)))

        return source

    def _make_text_encoder(self, train: Dataset, context: RunContext) -> TextEncoder:
        if "text" not in train.column_names:
            raise ModelError("image-text needs text: give --text single, key or all, or --set modality=image.")
        pretrained = load_text_model(self.encoder)
        pretrained.require_tokens(self.max_tokens)
        pretrained.require_layers(self.text_layers)
        encoder = TextEncoder(pretrained, self.max_tokens, context)
        if truncated := encoder.count_truncated(train):
            context.notes.append(
                f"{truncated} of {len(train)} training texts are longer than {self.max_tokens} tokens and were "
                "truncated; --set max_tokens=N keeps more."
            )
        return encoder
