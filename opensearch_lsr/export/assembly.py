"""A body and its head as one ONNX graph, in each precision, under ML Commons' contract.

Two int64 inputs named as ML Commons names them, one float32 output [batch, vocab].

- ``none``: :func:`float32`.
- ``int8``: the same with int8 weights and float32 arithmetic, by :mod:`opensearch_lsr.export.quantization`.
- ``int8-dynamic``: :func:`int8_dynamic`, int8 weights and arithmetic. Activations are quantised as they come, in the
  body per tensor: a document's vector depends on the documents beside it, so each is encoded alone.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from opensearch_lsr.document_encoder import ATTENTION_MASK
from opensearch_lsr.errors import needs_extra
from opensearch_lsr.export import head, quantization
from opensearch_lsr.export.graph import HIDDEN, MAXIMA, PRIOR, DocumentGraph, quiet

with needs_extra("export", "exporting a checkpoint"):
    import numpy as np
    import onnx
    import torch
    from onnx import TensorProto, helper, numpy_helper
    from onnx.helper import make_node
    from onnxruntime.quantization import QuantType, quantize_dynamic

OUTPUT = "output"


def float32(body: Any, graph: DocumentGraph) -> Any:
    """The whole graph in float32.

    Args:
        body: from :func:`opensearch_lsr.export.graph.body`; not changed.
        graph: what it was made from.
    """
    model = _copy(body)
    if graph.decoder:
        weight = _table(model.graph, graph.decoder)
        head.append(model.graph, weight, len(graph.keep), graph.bias.numpy(), HIDDEN, MAXIMA)
    return _finished(model, graph)


def int8_dynamic(body: Any, graph: DocumentGraph) -> Any:
    """The whole graph with int8 arithmetic; the arguments are :func:`float32`'s.

    The body's matrix products are onnxruntime's ``quantize_dynamic``: one scale for an activation tensor, one for each
    column of a weight, whose 7 bits keep processors without VNNI from saturating; a matrix that these bits do not hold
    stays float32. Where embedding and projection are tied, one int8 table serves both.
    """
    model = _copy(body)
    _fold_transposes(model.graph)
    coarse = _coarse(model.graph)
    with tempfile.TemporaryDirectory() as folder, quiet(None):
        path = Path(folder) / "body.onnx"
        quantize_dynamic(
            model,
            path,
            op_types_to_quantize=["MatMul"],
            per_channel=True,
            reduce_range=True,
            nodes_to_exclude=coarse,
            weight_type=QuantType.QInt8,
        )
        model = onnx.load(path)
    if graph.decoder is None:
        return _finished(quantization.quantize(model), graph)
    name, bias = _table(model.graph, graph.decoder), graph.bias.numpy()
    model = quantization.quantize(model)
    matrices = _matrices(model.graph)
    if f"{name}.int8" in matrices:
        scales = numpy_helper.to_array(matrices[f"{name}.scale"])[:, 0]
        head.append_int8(model.graph, f"{name}.int8", scales, bias, HIDDEN, MAXIMA)
    else:
        head.append(model.graph, name, len(graph.keep), bias, HIDDEN, MAXIMA)
    return _finished(model, graph)


def _coarse(graph: Any) -> list[str]:
    """The products of matrices whose columns lose too much in 7 bits."""
    weights = _matrices(graph)
    products = [node for node in graph.node if node.op_type == "MatMul" and node.input[1] in weights]
    return [
        node.name
        for node in products
        if quantization.loss(numpy_helper.to_array(weights[node.input[1]]).T, bits=7) > quantization.LARGEST_ERROR * 2
    ]


def _matrices(graph: Any) -> dict[str, Any]:
    """The initializers of two dimensions, by name."""
    return {tensor.name: tensor for tensor in graph.initializer if len(tensor.dims) == 2}


def _copy(model: Any) -> Any:
    copied = onnx.ModelProto()
    copied.CopyFrom(model)
    return copied


def _table(graph: Any, decoder: torch.nn.Linear) -> str:
    """The initializer that holds the decoder's weight [vocab, size]: the embedding's, where they are tied."""
    weight = decoder.weight.detach().numpy()
    for tensor in graph.initializer:
        if tuple(tensor.dims) == weight.shape and np.array_equal(numpy_helper.to_array(tensor), weight):
            return str(tensor.name)
    graph.initializer.append(numpy_helper.from_array(weight, "head.weight"))
    return "head.weight"


def _fold_transposes(graph: Any) -> None:
    """Turn ``Transpose(weight)`` into weights: a product with anything else is not quantised."""
    weights = _matrices(graph)
    folded = [node for node in graph.node if node.op_type == "Transpose" and node.input[0] in weights]
    for node in folded:
        columns = np.ascontiguousarray(numpy_helper.to_array(weights[node.input[0]]).T)
        graph.initializer.append(numpy_helper.from_array(columns, node.output[0]))
        graph.node.remove(node)


def _finished(model: Any, graph: DocumentGraph) -> Any:
    """Activation, special columns, rows without a real position and the lexical prior; checked, outputs named."""
    added = model.graph
    for name, value in {"one": np.array(1, np.float32), "keep": graph.keep.numpy()}.items():
        added.initializer.append(numpy_helper.from_array(value, f"activation.{name}"))
    nodes = [make_node("Relu", [MAXIMA], ["activation.0"])]
    for log in range(graph.logs):
        nodes += [
            make_node("Add", [f"activation.{log}", "activation.one"], [f"activation.{log}.more"]),
            make_node("Log", [f"activation.{log}.more"], [f"activation.{log + 1}"]),
        ]
    last = "activation.real" if graph.prior else OUTPUT
    nodes += [
        make_node("Mul", [f"activation.{graph.logs}", "activation.keep"], ["activation.kept"]),
        make_node("ReduceMax", [ATTENTION_MASK], ["activation.any"], axes=[1], keepdims=1),
        make_node("Cast", ["activation.any"], ["activation.anything"], to=TensorProto.FLOAT),
        make_node("Mul", ["activation.kept", "activation.anything"], [last]),
    ]
    if graph.prior:
        nodes.append(make_node("Add", [last, PRIOR], [OUTPUT]))
    added.node.extend(nodes)
    used = {name for node in added.node for name in node.input}
    for tensor in [tensor for tensor in added.initializer if tensor.name not in used]:
        added.initializer.remove(tensor)
    del added.output[:]
    added.output.append(helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, ["batch", len(graph.keep)]))
    onnx.checker.check_model(model)
    return model
