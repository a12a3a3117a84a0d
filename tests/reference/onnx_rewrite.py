"""The same network said otherwise: what other tools make of an exported file.

Each function changes a model in place and leaves its meaning alone; `make_models.py` checks that
with ONNX Runtime.
"""

from __future__ import annotations

import numpy as np
import onnx
from onnx import ModelProto, NodeProto, helper, numpy_helper


def anonymous(model: ModelProto) -> None:
    """Drops the exporter's comments: they hold source paths of the machine that exported."""
    for item in [model, model.graph, *model.graph.node, *model.graph.initializer, *model.graph.value_info,
                 *model.graph.input, *model.graph.output]:
        item.ClearField("doc_string")
        if hasattr(item, "metadata_props"):
            for prop in item.metadata_props:
                prop.value = prop.key  # an entry each stays, as a reader meets them in such files


def reshape_for_flatten(model: ModelProto) -> None:
    """Flatten -> Reshape to [0, -1]: 0 copies the batch size."""
    for i, node in enumerate(model.graph.node):
        if node.op_type == "Flatten":
            shape = f"shape_{i}"
            model.graph.initializer.append(numpy_helper.from_array(np.array([0, -1]), shape))
            node.CopyFrom(helper.make_node("Reshape", [node.input[0], shape], node.output))


def constants_as_nodes(model: ModelProto) -> None:
    """Every initialiser becomes a Constant node ahead of the rest."""
    nodes = [helper.make_node("Constant", [], [t.name], value=t) for t in model.graph.initializer]
    nodes += list(model.graph.node)
    del model.graph.initializer[:]
    del model.graph.node[:]
    model.graph.node.extend(nodes)


def constants_as_initialisers(model: ModelProto) -> None:
    """Every Constant node becomes an initialiser, listed among the inputs as IR 3 wanted it."""
    for node in [n for n in model.graph.node if n.op_type == "Constant"]:
        tensor = node.attribute[0].t
        tensor.name = node.output[0]
        model.graph.initializer.append(tensor)
        model.graph.node.remove(node)
    for tensor in model.graph.initializer:
        info = helper.make_tensor_value_info(tensor.name, tensor.data_type, list(tensor.dims))
        model.graph.input.append(info)


def shortcut_first(model: ModelProto) -> None:
    """Each residual sum takes its operands, and computes its branches, in the other order."""
    for node in model.graph.node:
        if node.op_type == "Add" and not any(t.name in node.input for t in model.graph.initializer):
            a, b = node.input
            node.input[:] = [b, a]
    nodes = list(model.graph.node)
    for i, node in enumerate(nodes):
        if i and node.op_type == "Conv" and _is_pointwise(model, node):
            j = next(k for k, n in enumerate(nodes) if node.input[0] in n.output)
            nodes.insert(j + 1, nodes.pop(i))  # right after its input is there
    del model.graph.node[:]
    model.graph.node.extend(nodes)


def _is_pointwise(model: ModelProto, conv: NodeProto) -> bool:
    return next(list(t.dims)[2:] == [1, 1] for t in model.graph.initializer if t.name == conv.input[1])


def numbers_for_names(model: ModelProto) -> None:
    """No name says anything, and the initialisers stand in reverse."""
    names: dict[str, str] = {}
    keep = {model.graph.input[0].name, model.graph.output[0].name}

    def short(name: str) -> str:
        return name if name in keep or not name else names.setdefault(name, str(len(names)))

    for tensor in model.graph.initializer:
        tensor.name = short(tensor.name)
    for node in model.graph.node:
        node.name = ""
        node.input[:] = [short(name) for name in node.input]
        node.output[:] = [short(name) for name in node.output]
    del model.graph.value_info[:]
    tensors = list(model.graph.initializer)[::-1]
    del model.graph.initializer[:]
    model.graph.initializer.extend(tensors)


def typed_data(model: ModelProto) -> None:
    """float_data and int64_data instead of raw_data."""
    for tensor in model.graph.initializer:
        values = numpy_helper.to_array(tensor)
        if values.dtype not in (np.float32, np.int64):
            continue
        field = tensor.float_data if values.dtype == np.float32 else tensor.int64_data
        tensor.ClearField("raw_data")
        field.extend(values.ravel().tolist())


def optimised_by_onnxruntime(model: ModelProto, path: str) -> ModelProto:
    """What ONNX Runtime writes when asked to save its basic optimisations."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.optimized_model_filepath = path
    onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return onnx.load(path)
