"""The layers of a network in the order of Keras, and splitting the network in front of its last ones.

The paper unfreezes "the last 50 layers" of a Keras model, where a convolution, a normalisation, an activation, a
pooling and a concatenation are a layer each, ordered by distance from the output. Tracing the network with torch.fx
gives the same order here; for InceptionV3 both count 311 layers.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from ...benchmark.errors import ModelError

if TYPE_CHECKING:
    from torch import fx, nn

_BOOKKEEPING = {"getattr", "getitem", "eq", "_assert"}


def trace_layers(root: nn.Module) -> LayerOrder:
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
        raise ModelError("This network cannot be traced, so its last layers are unknown; use layers=all.") from error
    return LayerOrder(root, graph)


@dataclass(frozen=True)
class LayerOrder:
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
            depth[node] = max((depth[user] + self._layer_count(user) for user in node.users), default=0)
        position = {node: i for i, node in enumerate(self.graph.nodes)}
        entries = [
            (depth[node] + extra, position[node], node)
            for node in self.graph.nodes
            for extra in range(self._layer_count(node))
        ]
        return [node for _, _, node in sorted(entries, key=lambda entry: (-entry[0], entry[1]))]

    @property
    def count(self) -> int:
        """Number of layers."""
        return len(self._layers)

    def trained_modules(self, layers: int) -> set[str]:
        """Names of the modules with weights among the last layers.

        A normalisation with activation is two layers, and is included only if both are among the last.
        """
        chosen: set[str] = set()
        last = [node for node in self._layers[self.count - layers :] if node.op == "call_module"]
        for node in last:
            has_weights = any(True for _ in self.root.get_submodule(str(node.target)).parameters())
            if has_weights and (self._layer_count(node) == 1 or last.count(node) == 2):
                chosen.add(str(node.target))
        return chosen

    def split(self, layers: int) -> tuple[nn.Module | None, nn.Module]:
        """Split the network in front of its last layers, at the latest point where one tensor carries everything.

        Returns:
            The part up to that point and the rest; None and the whole network if that point is the input.

        Raises:
            ModelError: the last layers have no weights.
        """
        import torch
        from torch import fx

        chosen = self.trained_modules(layers)
        nodes = list(self.graph.nodes)
        trained = [i for i, node in enumerate(nodes) if node.op == "call_module" and node.target in chosen]
        if not trained:
            raise ModelError(
                f"The last {layers} of this network's {self.count} layers have no weights; train more layers."
            )
        cut = self._find_cut(nodes, trained[0])
        if cut == 0:
            return None, self.root
        front, rest = fx.Graph(), fx.Graph()
        in_front: dict[fx.Node, fx.Node] = {}
        for node in nodes[: cut + 1]:
            in_front[node] = front.node_copy(node, in_front.__getitem__)
        front.output(in_front[nodes[cut]])
        in_rest: dict[fx.Node, fx.Node] = {nodes[cut]: rest.placeholder("split", torch.Tensor)}
        for node in nodes[cut + 1 :]:
            in_rest[node] = rest.node_copy(node, in_rest.__getitem__)
        return fx.GraphModule(self.root, front), fx.GraphModule(self.root, rest)

    def _find_cut(self, nodes: list[fx.Node], end: int) -> int:
        """The last node before `end` after which no earlier node's output is used."""
        position = {node: i for i, node in enumerate(nodes)}
        last_use = [max((position[user] for user in node.users), default=0) for node in nodes]
        cut = furthest = 0
        for i in range(end):
            if self._layer_count(nodes[i]) and furthest <= i:
                cut = i
            furthest = max(furthest, last_use[i])
        return cut

    def _layer_count(self, node: fx.Node) -> int:
        """How many Keras layers a node is."""
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
