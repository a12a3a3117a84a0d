"""An ONNX export of the network -> WeSpeaker's names, by walking the graph.

Nothing is bound by an initialiser's name or place: the convolutions are followed from the input
to the pooling, each with its BatchNormalization or its folded bias. A folded convolution gets the
BatchNorm that does the same: gamma 1, mean 0, variance 1 - eps, beta the bias. `mean_vec` is
subtracted from the last layer's bias. So a file of either kind becomes the same 182 tensors.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import ModelProto, NodeProto, numpy_helper
from torch import Tensor

BN_EPS = 1e-5


class OnnxError(Exception):
    """Why the graph is not this network, in a sentence."""


class Graph:
    """Nodes by what they make and by what they take, constants by name."""

    def __init__(self, model: ModelProto) -> None:
        graph = model.graph
        self.constants = {t.name: numpy_helper.to_array(t) for t in graph.initializer}
        for node in graph.node:
            if node.op_type == "Constant":
                self.constants[node.output[0]] = numpy_helper.to_array(node.attribute[0].t)
        self.users: dict[str, list[NodeProto]] = {}
        self.makers = {name: node for node in graph.node for name in node.output}
        for node in graph.node:
            for name in node.input:
                self.users.setdefault(name, []).append(node)
        inputs = [i.name for i in graph.input if i.name not in self.constants]
        if len(inputs) != 1 or len(graph.output) != 1:
            raise OnnxError(f"has inputs {inputs} and {len(graph.output)} outputs; need one of each")
        self.input, self.output = inputs[0], graph.output[0].name
        self.taken: set[str] = set()

    def constant(self, node: NodeProto, index: int) -> np.ndarray:
        name = node.input[index] if index < len(node.input) else ""
        if name not in self.constants:
            raise OnnxError(f"node {node.name or node.op_type}: input {index} '{name}' is no constant")
        self.taken.add(name)
        return self.constants[name]

    def only_user(self, name: str, *op_types: str) -> NodeProto:
        users = self.users.get(name, [])
        if len(users) != 1 or users[0].op_type not in op_types:
            found = ", ".join(u.op_type for u in users) or "nothing"
            raise OnnxError(f"'{name}' goes to {found}; expected one {' or '.join(op_types)}")
        return users[0]


class Walk:
    """Follows the network through the graph and collects its tensors."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.tensors: dict[str, Tensor] = {}

    def keep(self, name: str, values: np.ndarray) -> None:
        if not np.isfinite(values).all():
            raise OnnxError(f"{name} has values that are not finite")
        self.tensors[name] = torch.from_numpy(np.array(values, dtype=np.float32))

    def conv(self, node: NodeProto, conv_name: str, bn_name: str) -> str:
        """Takes a Conv and its BatchNorm; returns the name of what they make."""
        weight = self.graph.constant(node, 1)
        self.keep(f"{conv_name}.weight", weight)
        users = self.graph.users.get(node.output[0], [])
        if len(users) == 1 and users[0].op_type == "BatchNormalization":
            if len(node.input) > 2:
                raise OnnxError(f"{conv_name} has a bias and a BatchNormalization")
            for i, part in enumerate(("weight", "bias", "running_mean", "running_var"), start=1):
                self.keep(f"{bn_name}.{part}", self.graph.constant(users[0], i))
            eps = next((a.f for a in users[0].attribute if a.name == "epsilon"), BN_EPS)
            if abs(eps - BN_EPS) > 1e-9:
                raise OnnxError(f"{bn_name} has epsilon {eps:g}, not {BN_EPS:g}")
            return users[0].output[0]
        n_out = weight.shape[0]
        if len(node.input) < 3:
            raise OnnxError(f"{conv_name} has neither a bias nor a BatchNormalization")
        self.keep(f"{bn_name}.weight", np.ones(n_out))
        self.keep(f"{bn_name}.bias", self.graph.constant(node, 2))
        self.keep(f"{bn_name}.running_mean", np.zeros(n_out))
        self.keep(f"{bn_name}.running_var", np.full(n_out, 1 - BN_EPS))
        return node.output[0]

    def block(self, x: str, name: str) -> str:
        """Takes a residual block that starts at x; returns the name of what it makes."""
        convs = [u for u in self.graph.users[x] if u.op_type == "Conv"]
        ends = [self._main_branch(conv) for conv in convs]
        main = [i for i, branch in enumerate(ends) if len(branch) > 1]
        if len(main) != 1 or len(convs) > 2:
            raise OnnxError(f"{name}: {len(convs)} convolutions start at '{x}'; need a main branch and at most a shortcut")
        out = ""
        for i, conv in enumerate(ends[main[0]], start=1):
            out = self.conv(conv, f"{name}.conv{i}", f"{name}.bn{i}")
        shortcut = x
        if len(convs) == 2:
            shortcut = self.conv(convs[1 - main[0]], f"{name}.shortcut.0", f"{name}.shortcut.1")
        add = self.graph.only_user(out, "Add")
        if sorted(add.input) != sorted([out, shortcut]):
            raise OnnxError(f"{name}: the sum takes {list(add.input)}, not {out} and {shortcut}")
        return self.graph.only_user(add.output[0], "Relu").output[0]

    def _main_branch(self, conv: NodeProto) -> list[NodeProto]:
        """The convolutions from this one up to the sum."""
        branch = [conv]
        while True:
            x = branch[-1].output[0]
            node = self.graph.only_user(x, "BatchNormalization", "Relu", "Add")
            if node.op_type == "BatchNormalization":
                node = self.graph.only_user(node.output[0], "Relu", "Add")
            if node.op_type == "Add":
                return branch
            branch.append(self.graph.only_user(node.output[0], "Conv"))
            if len(branch) > 3:
                raise OnnxError(f"'{conv.output[0]}': more than three convolutions in a block")

    def embedding(self) -> str:
        """Takes the last layer, found from the output backwards; returns the pooled input's name."""
        node = self.graph.makers[self.graph.output]
        mean_vec: np.ndarray | float = 0.0
        if node.op_type == "Sub":
            mean_vec = self.graph.constant(node, 1)
            node = self.graph.makers[node.input[0]]
        if node.op_type != "Gemm":
            raise OnnxError(f"'{self.graph.output}' is made by {node.op_type}, not by Gemm")
        options = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
        weight = self.graph.constant(node, 1)
        if options.get("alpha", 1.0) != 1.0 or options.get("beta", 1.0) != 1.0 or options.get("transA", 0):
            raise OnnxError(f"the last layer has {options}")
        self.keep("seg_1.weight", weight if options.get("transB", 0) else weight.T)
        bias = self.graph.constant(node, 2).astype(np.float64) - mean_vec
        self.keep("seg_1.bias", bias)
        return node.input[0]


def read(path: Path) -> dict[str, Tensor]:
    """The network's tensors by WeSpeaker's names."""
    try:
        model = onnx.load(path)
        graph = Graph(model)
    except (OnnxError, ValueError, TypeError) as error:
        raise OnnxError(f"{path}: {error}") from error
    except Exception as error:  # protobuf's DecodeError has no public home
        raise OnnxError(f"{path}: not an ONNX file ({error})") from error
    try:
        return _walk(graph)
    except OnnxError as error:
        raise OnnxError(f"{path}: {error}") from None


def _walk(graph: Graph) -> dict[str, Tensor]:
    walk = Walk(graph)
    x = graph.input
    while (node := graph.only_user(x, "Transpose", "Unsqueeze", "Conv")).op_type != "Conv":
        x = node.output[0]
    x = walk.conv(node, "conv1", "bn1")
    x = graph.only_user(x, "Relu").output[0]
    layer, index = 1, 0
    while any(u.op_type == "Conv" for u in graph.users[x]):
        strides = [stride(u) for u in _stride_bearers(walk, x)]
        if 2 in strides:
            layer, index = layer + 1, 0
        x = walk.block(x, f"layer{layer}.{index}")
        index += 1
    walk.embedding()
    weights = {name for name, v in graph.constants.items() if v.dtype.kind == "f" and v.ndim > 0}
    if surplus := weights - graph.taken:
        raise OnnxError(f"cannot explain {', '.join(sorted(surplus))}")
    return walk.tensors


def _stride_bearers(walk: Walk, x: str) -> list[NodeProto]:
    """Every convolution of the block at x: any may carry the stride."""
    return [conv for u in walk.graph.users[x] if u.op_type == "Conv" for conv in walk._main_branch(u)]


def stride(conv: NodeProto) -> int:
    strides = next((list(a.ints) for a in conv.attribute if a.name == "strides"), [1, 1])
    if strides not in ([1, 1], [2, 2]):
        raise OnnxError(f"node {conv.name}: strides {strides}")
    return strides[0]
