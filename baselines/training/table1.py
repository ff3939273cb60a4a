"""The network of Table 1 of arXiv 2401.09301 (after Arora et al., Materialia 26, 101620 (2022))."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn

# Kernels 2 x 2, no padding, ReLU; "pool" halves by averaging, as in the authors' published network.
_LAYERS: tuple[int | str, ...] = (32, 64, "pool", 96, 192, "pool", 192, "dropout", 256, "pool", 256)


def table1_network(height: int, width: int, dropout: float = 0.2) -> nn.Sequential:
    """Build the network for RGB images; 1,746,433 parameters at 73 x 196.

    Weights start as in Keras: Glorot uniform, biases zero. The table does not state the dropout rate; 0.2 is the
    rate of the paper's other heads.

    Args:
        height: image height, at least 32 pixels.
        width: image width, at least 32 pixels.
        dropout: dropout rate.

    Returns:
        A network from (n, 3, height, width), values 0 to 1, to (n, 1).
    """
    from torch import nn

    layers: list[nn.Module] = []
    channels = 3
    for layer in _LAYERS:
        if layer == "pool":
            layers.append(nn.AvgPool2d(2))
            height, width = height // 2, width // 2
        elif layer == "dropout":
            layers.append(nn.Dropout(dropout))
        else:
            layers += [nn.Conv2d(channels, int(layer), 2), nn.ReLU(inplace=True)]
            channels, height, width = int(layer), height - 1, width - 1
    layers += [
        nn.Flatten(),
        nn.Linear(channels * height * width, 32),
        nn.ReLU(inplace=True),
        nn.Linear(32, 1),
    ]
    for module in layers:
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.xavier_uniform_(module.weight)
            nn.init.zeros_(module.bias)
    return nn.Sequential(*layers)
