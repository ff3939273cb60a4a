"""Image and text together: a fine-tuned image network joined with a text encoder."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

from ..benchmark.errors import ModelError
from .finetuned import Finetuned
from .training import loop
from .training.checks import require_choice, require_rate, require_whole
from .training.sources import JoinedSource
from .transfer.backbone import ALL
from .transfer.branch import ImageBranch
from .transfer.stages import StagedPredictor
from .transfer.text import TextBranch, load_encoder

if TYPE_CHECKING:
    from datasets import Dataset
    from torch import nn

    from ..benchmark.predictor import RunContext
    from .training.sources import Source
    from .transfer.stages import SourceOf, StagedTraining

MODALITIES = {"image": ("image",), "text": ("text",), "both": ("image", "text")}
FUSIONS = ("scalar", "features")


class ImageText(Finetuned):
    """A fine-tuned image network joined with a text encoder, trained in four stages.

    As in Tables 3 and 13 of arXiv 2401.09301: image head; last layers of the image network; joint head on both frozen
    (output of the image model beside the mean of the encoder's token embeddings, Dense 32, dropout, Dense 1); the same
    with the last layers of both. Each stage is scored. Unlike the paper's mean, this one leaves padding out.

    Args:
        encoder: `roberta-base`, `albert-base-v2`, any transformers encoder on the hub, or a folder.
        modality: `both`, `image` (the first two stages) or `text` (the last two, without image).
        fusion: `scalar` joins the image model's one output, as in Table 3; `features` its pooled features.
        max_tokens: texts are cut after this many tokens.
        text_layers: how many last layers of the encoder the fourth stage trains; `all`, or 0 to leave it frozen.
        joint_rate: learning rate of the joint head's stage.
        layers: stages of the image network, as in `finetuned`.
        finetuning_rate: learning rate of the stages that train a part of the networks.
        batch_norm: as in `finetuned`.
        backbone: as in `frozen`.
        weights: as in `frozen`; of the image network.
        batch_size: as in `frozen`.
        learning_rate: of the image head's stage, as in `frozen`.
        patience: as in `frozen`, in every stage.
        max_epochs: epochs of a stage at most.
        dropout: as in `frozen`; of both heads.
        views: as in `frozen`.
        size: as in `frozen`.
        precision: as in `frozen`.
    """

    inputs: tuple[str, ...] = ("image", "text")
    search: ClassVar = {"joint_rate": "1e-4:0.1:log", "batch_size": "4:12:2"}

    def __init__(
        self,
        encoder: str = "roberta-base",
        modality: str = "both",
        fusion: str = "scalar",
        max_tokens: int = 100,
        text_layers: int | str = 2,
        joint_rate: float = 1e-3,
        layers: int | str | Sequence[int | str] = 50,
        finetuning_rate: float = 1e-4,
        batch_norm: str = "frozen",
        backbone: str = "inception-v3",
        weights: str = "pretrained",
        batch_size: int | None = None,
        learning_rate: float | None = None,
        patience: int = 10,
        max_epochs: int = 500,
        dropout: float = 0.2,
        views: int = 16,
        size: str | None = None,
        precision: str = "auto",
    ) -> None:
        super().__init__(
            layers, finetuning_rate, batch_norm, backbone, weights, batch_size, learning_rate,
            patience, max_epochs, dropout, views, size, precision,
        )  # fmt: skip
        require_choice("modality", modality, list(MODALITIES))
        require_choice("fusion", fusion, FUSIONS)
        require_rate("joint_rate", joint_rate)
        require_whole("max_tokens", max_tokens)
        if text_layers != ALL:
            require_whole("text_layers", text_layers, least=0)
        self.encoder, self.max_tokens, self.text_layers = encoder, max_tokens, text_layers
        self.fusion, self.joint_rate = fusion, joint_rate
        self.inputs = MODALITIES[modality]

    def fingerprint(self) -> dict[str, Any]:
        """Weights of the image network and the encoder's files."""
        found: dict[str, Any] = {}
        if "image" in self.inputs:
            found |= super().fingerprint()
        if "text" in self.inputs:
            loop.require_torch()
            found["encoder_sha256"] = load_encoder(self.encoder).sha256
        return found

    def train_stages(self, training: StagedTraining, train: Dataset, context: RunContext) -> None:
        """The four stages, or those of one side."""
        network: nn.Module | None = None
        if "text" in self.inputs:
            self._text = self._text_branch(train, context)
        if "image" in self.inputs:
            self._branch = ImageBranch(self.options, train, context)
            network = self.train_layers(training, self.train_head(training))
        if "text" in self.inputs:
            self.train_joint(training, network)

    def train_joint(self, training: StagedTraining, image: nn.Module | None) -> None:
        """Train the joint head on frozen networks, then the last layers of both with it."""
        from torch import nn

        from .transfer.networks import Fusion, Inference

        encoder = self._text.encoder
        prefix, joined, width = "text", None, encoder.width
        if image is not None:
            prefix = "image + text"
            joined = image[0] if self.fusion == "features" else image
            width += self._branch.backbone.width if self.fusion == "features" else 1

        def frozen() -> nn.Module:
            side = None if joined is None else Inference(copy.deepcopy(joined))
            return Fusion(side, nn.Identity(), width, self.dropout)

        settings = replace(self.head_settings(), learning_rate=self.joint_rate)
        joint = training.run(f"{prefix} head", frozen, self._source(self._text.pooled()), settings)
        if self.text_layers == 0:
            return

        def released() -> nn.Module:
            network = Fusion(copy.deepcopy(joined), encoder.trainable(self.text_layers), width, self.dropout)
            network.head.load_state_dict(joint.head.state_dict())
            return network

        settings = replace(settings, learning_rate=self.finetuning_rate)
        training.run(f"{prefix} tuned", released, self._source(self._text.tokens()), settings)

    def _source(self, text: SourceOf) -> SourceOf:
        if "image" not in self.inputs:
            return text

        def source(data: Dataset, training: bool) -> Source:
            image = self._branch.source_of(self.layers[-1])
            return JoinedSource((image(data, training), text(data, training)))

        return source

    def _text_branch(self, train: Dataset, context: RunContext) -> TextBranch:
        if "text" not in train.column_names:
            raise ModelError("image-text needs text: --text single, key or all, or --set modality=image without it.")
        encoder = load_encoder(self.encoder)
        encoder.require_tokens(self.max_tokens)
        encoder.require_layers(self.text_layers)
        branch = TextBranch(encoder, self.max_tokens, context)
        if cut := branch.cut(train):
            context.notes.append(
                f"{cut} of {len(train)} training texts are longer than {self.max_tokens} tokens and were cut; "
                "--set max_tokens=N keeps more."
            )
        return branch

    def info(self) -> dict[str, Any]:
        """As `frozen`, and the encoder with its hash and parameters."""
        found = super().info() if "image" in self.inputs else StagedPredictor.info(self)
        if "text" in self.inputs:
            encoder = self._text.encoder
            found |= {"encoder": encoder.folder.name, "encoder_sha256": encoder.sha256}
            found["encoder_parameters"] = encoder.parameters
        return found
