"""The backbones of the paper, and any other network that timm knows."""

from __future__ import annotations

from dataclasses import dataclass

from ...benchmark.errors import ModelError, unknown_name


@dataclass(frozen=True)
class Preset:
    """A backbone and the head training that suits it.

    Attributes:
        network: timm name, with the tag of its ImageNet weights.
        batch_size: the best of Table 4 of arXiv 2401.09301.
        learning_rate: the same.
    """

    network: str
    batch_size: int
    learning_rate: float


# The paper used Keras' weights. timm's nearest: InceptionV3 from TF-slim, Xception converted from Keras' own, VGG and
# DenseNet from torchvision.
PRESETS = {
    "inception-v3": Preset("inception_v3.tf_in1k", 6, 0.007),
    "xception": Preset("legacy_xception.tf_in1k", 4, 0.05),
    "vgg16": Preset("vgg16.tv_in1k", 8, 0.12),
    "vgg19": Preset("vgg19.tv_in1k", 8, 0.34),
    "densenet121": Preset("densenet121.tv_in1k", 4, 0.05),
}
_OTHER = (8, 0.01)


def preset_of(backbone: str) -> Preset:
    """The preset of this name, or one for any timm network.

    Raises:
        ModelError: there is no such network; the nearest names are given.
    """
    backbone = str(backbone)
    if backbone in PRESETS:
        return PRESETS[backbone]
    import timm

    name, _, tag = backbone.partition(".")
    known = [*PRESETS, *timm.list_models()] if not timm.is_model(name) else timm.list_pretrained(f"{name}.*")
    if not timm.is_model(name) or (tag and backbone not in known):
        remedy = f"Presets are {', '.join(PRESETS)}; timm.list_models() has the rest."
        raise ModelError(unknown_name("backbone", backbone, known, remedy))
    return Preset(backbone, *_OTHER)
