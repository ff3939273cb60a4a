"""The layers of a network in Keras' order, and dividing it between two of them.

The paper unfreezes "the last 50 layers" of a Keras model. There a convolution, a normalisation, an activation, a
pooling and a concatenation are a layer each, ordered by distance from the output. The same order is found here by
tracing the network with torch.fx; for InceptionV3 both give 311 layers.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from ...benchmark.errors import ModelError

if TYPE_CHECKING:
    from torch import fx, nn

_BOOKKEEPING = {"getattr", "getitem", "eq", "_assert"}


def order_of(root: nn.Module) -> Order:
    """Trace a network.

    Raises:
        ModelError: it cannot be traced.
    """
    from torch import fx
    from torch.nn.modules.batchnorm import _BatchNorm

    class Tracer(fx.Tracer):
        def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
            leaf = not any(True for _ in m.children()) or isinstance(m, _BatchNorm)
            return leaf or super().is_leaf_module(m, module_qualified_name)

    try:
        graph = Tracer().trace(root)
    except (fx.proxy.TraceError, TypeError) as error:
        raise ModelError(
            "The structure of this network cannot be followed, so its last layers cannot be told; use layers=all."
        ) from error
    return Order(root, graph)


@dataclass(frozen=True)
class Order:
    """A traced network.

    Attributes:
        root: the module that was traced.
        graph: its operations, in order of execution.
    """

    root: nn.Module
    graph: fx.Graph

    @cached_property
    def _layers(self) -> list[fx.Node]:
        """One entry per layer, farthest from the output first; a normalisation with activation has two."""
        depth: dict[fx.Node, int] = {}
        for node in reversed(self.graph.nodes):
            depth[node] = max((depth[user] + self._weight(user) for user in node.users), default=0)
        place = {node: i for i, node in enumerate(self.graph.nodes)}
        entries = [
            (depth[node] + extra, place[node], node) for node in self.graph.nodes for extra in range(self._weight(node))
        ]
        return [node for _, _, node in sorted(entries, key=lambda entry: (-entry[0], entry[1]))]

    @property
    def count(self) -> int:
        """How many layers there are."""
        return len(self._layers)

    def last(self, layers: int) -> set[str]:
        """Names of the modules among the last layers. A normalisation counts where its own layer is among them."""
        chosen: set[str] = set()
        halves = [node for node in self._layers[self.count - layers :] if node.op == "call_module"]
        for node in halves:
            has_weights = any(True for _ in self.root.get_submodule(str(node.target)).parameters())
            if has_weights and (self._weight(node) == 1 or halves.count(node) == 2):
                chosen.add(str(node.target))
        return chosen

    def divided(self, layers: int) -> tuple[nn.Module | None, nn.Module]:
        """The network up to the last place, before its last layers, where one tensor says everything; and the rest.

        None and the whole network where that place is the input.

        Raises:
            ModelError: the last layers have no weights.
        """
        import torch
        from torch import fx

        chosen = self.last(layers)
        nodes = list(self.graph.nodes)
        weighted = [i for i, node in enumerate(nodes) if node.op == "call_module" and node.target in chosen]
        if not weighted:
            raise ModelError(f"The last {layers} of this network's {self.count} layers have no weights; take more.")
        cut = self._cut_before(nodes, weighted[0])
        if cut == 0:
            return None, self.root
        frozen, rest = fx.Graph(), fx.Graph()
        kept: dict[fx.Node, fx.Node] = {}
        for node in nodes[: cut + 1]:
            kept[node] = frozen.node_copy(node, kept.__getitem__)
        frozen.output(kept[nodes[cut]])
        moved: dict[fx.Node, fx.Node] = {nodes[cut]: rest.placeholder("divided", torch.Tensor)}
        for node in nodes[cut + 1 :]:
            moved[node] = rest.node_copy(node, moved.__getitem__)
        return fx.GraphModule(self.root, frozen), fx.GraphModule(self.root, rest)

    def _cut_before(self, nodes: list[fx.Node], first: int) -> int:
        """The last node before `first` after which nothing but its own output is used."""
        place = {node: i for i, node in enumerate(nodes)}
        reach = [max((place[user] for user in node.users), default=0) for node in nodes]
        cut = furthest = 0
        for i in range(first):
            if self._weight(nodes[i]) and furthest <= i:
                cut = i
            furthest = max(furthest, reach[i])
        return cut

    def _weight(self, node: fx.Node) -> int:
        """How many of Keras' layers a node is."""
        from torch import nn
        from torch.nn.modules.batchnorm import _BatchNorm

        if node.op == "placeholder":
            return 1
        if node.op == "call_function":
            return int(getattr(node.target, "__name__", "") not in _BOOKKEEPING)
        if node.op != "call_module":
            return 0
        module = self.root.get_submodule(str(node.target))
        if isinstance(module, nn.Identity | nn.Dropout | nn.Flatten | nn.AdaptiveAvgPool2d):
            return 0  # the last pooling belongs to the top
        activation = getattr(module, "act", None) if isinstance(module, _BatchNorm) else None
        return 1 if activation is None or isinstance(activation, nn.Identity) else 2
