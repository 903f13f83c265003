"""A body and its head as one ONNX graph, in each precision, under ML Commons' contract.

Two int64 inputs named as ML Commons names them, one float32 output [batch, vocab].

- ``none``: :func:`float32`.
- ``fp16``, ``int8``: the same with such weights and float32 arithmetic, by :mod:`opensearch_lsr.export.quantization`.
- ``int8-dynamic``: :func:`int8_dynamic`, int8 weights and arithmetic. Activations are quantised as they come, in the
  body per tensor: a document's vector depends on the documents beside it, so each is encoded alone.
- ``int4``: :func:`int4`, 4-bit weights and float32 arithmetic, by :mod:`opensearch_lsr.export.four_bits`.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from opensearch_lsr.document_encoder import ATTENTION_MASK
from opensearch_lsr.errors import CheckpointError, needs_extra
from opensearch_lsr.export import four_bits, head, onnx_writer, quantization
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
        body: from :func:`opensearch_lsr.export.graph.body`; becomes the result.
        graph: what it was made from.
    """
    if graph.decoder:
        weight = _table(body.graph, graph.decoder)
        head.append(body.graph, weight, graph.bias.numpy(), graph.kept, HIDDEN, MAXIMA)
    return _finished(body, graph)


def int8_dynamic(body: Any, graph: DocumentGraph) -> Any:
    """The whole graph with int8 arithmetic; the arguments are :func:`float32`'s.

    The body's matrix products are onnxruntime's ``quantize_dynamic``: one scale for an activation tensor, one for each
    column of a weight, whose 7 bits keep processors without VNNI from saturating; a matrix that these bits do not hold
    stays float32. Where embedding and projection are tied, one int8 table serves both.

    Raises:
        CheckpointError: when the float32 graph is more than one file; onnxruntime copies it whole.
    """
    if (size := onnx_writer.size(body)) > onnx_writer.LARGEST:
        raise CheckpointError(f"{size / 1e9:.1f} GB of weights are too many for int8-dynamic; take int8 or int4")
    model = body
    _split_gemms(model.graph)
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
    found = quantization.matrices(model.graph)
    if f"{name}.int8" in found:
        scales = numpy_helper.to_array(found[f"{name}.scale"])[:, 0]
        head.append_int8(model.graph, f"{name}.int8", scales, bias, graph.kept, HIDDEN, MAXIMA)
    else:
        head.append(model.graph, name, bias, graph.kept, HIDDEN, MAXIMA)
    return _finished(model, graph)


def int4(body: Any, graph: DocumentGraph) -> Any:
    """The whole graph with 4-bit weights; the arguments are :func:`float32`'s.

    Where embedding and projection are tied, one table serves both. What 4 bits do not hold, and tables that are only
    looked up in, has int8 weights.
    """
    _split_gemms(body.graph)
    _fold_transposes(body.graph)
    if graph.decoder:
        name, bias = _table(body.graph, graph.decoder), graph.bias.numpy()
        if four_bits.table(body, name):
            size = graph.decoder.in_features
            head.append_int4(body.graph, name, size, four_bits.BLOCK, bias, graph.kept, HIDDEN, MAXIMA)
        else:
            head.append(body.graph, name, bias, graph.kept, HIDDEN, MAXIMA)
    four_bits.products(body)
    return _finished(quantization.quantize(body), graph)


# a graph's body and the module it was made from → the whole graph, by what --quantize calls it
PRECISIONS: dict[str, Callable[[Any, DocumentGraph], Any]] = {
    "none": float32,
    "fp16": lambda body, graph: quantization.quantize(float32(body, graph), "float16"),
    "int8": lambda body, graph: quantization.quantize(float32(body, graph)),
    "int8-dynamic": int8_dynamic,
    "int4": int4,
}


def _coarse(graph: Any) -> list[str]:
    """The products of matrices whose columns lose too much in 7 bits."""
    weights = quantization.matrices(graph)
    products = [node for node in graph.node if node.op_type == "MatMul" and node.input[1] in weights]
    return [
        node.name
        for node in products
        if quantization.loss(numpy_helper.to_array(weights[node.input[1]]).T, bits=7) > quantization.LARGEST_ERROR * 2
    ]


def _table(graph: Any, decoder: torch.nn.Linear) -> str:
    """The initializer that holds the decoder's weight [vocab, size]: the embedding's, where they are tied."""
    weight = decoder.weight.detach().numpy()
    for tensor in graph.initializer:
        if tuple(tensor.dims) == weight.shape and np.array_equal(numpy_helper.to_array(tensor), weight):
            return str(tensor.name)
    graph.initializer.append(numpy_helper.from_array(weight, "head.weight"))
    return "head.weight"


def _split_gemms(graph: Any) -> None:
    """Turn plain ``Gemm`` nodes, GPT-2's linear layers, into ``MatMul`` and ``Add``: only those are quantised."""
    nodes: list[Any] = []
    for node in graph.node:
        factors = {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}
        plain = {"alpha": 1.0, "beta": 1.0, "transA": 0, "transB": 0} | factors
        if node.op_type == "Gemm" and len(node.input) == 3 and list(plain.values()) == [1.0, 1.0, 0, 0]:
            product = f"{node.output[0]}.product"
            nodes.append(make_node("MatMul", node.input[:2], [product], name=f"{node.name}.product"))
            nodes.append(make_node("Add", [product, node.input[2]], node.output))
        else:
            nodes.append(node)
    del graph.node[:]
    graph.node.extend(nodes)


def _fold_transposes(graph: Any) -> None:
    """Turn ``Transpose(weight)`` into weights: a product with anything else is not quantised."""
    weights = quantization.matrices(graph)
    folded = [node for node in graph.node if node.op_type == "Transpose" and node.input[0] in weights]
    for node in folded:
        columns = np.ascontiguousarray(numpy_helper.to_array(weights[node.input[0]]).T)
        graph.initializer.append(numpy_helper.from_array(columns, node.output[0]))
        graph.node.remove(node)


def _finished(model: Any, graph: DocumentGraph) -> Any:
    """Activation, special columns, rows without a real position and the lexical prior; outputs named."""
    added = model.graph
    for name, value in {"one": np.array(1, np.float32), "keep": graph.keep.numpy()}.items():
        added.initializer.append(numpy_helper.from_array(value, f"activation.{name}"))
    nodes = [make_node("Relu", [MAXIMA], ["activation.0"])]
    for log in range(graph.logs):
        nodes += [
            make_node("Add", [f"activation.{log}", "activation.one"], [f"activation.{log}.more"]),
            make_node("Log", [f"activation.{log}.more"], [f"activation.{log + 1}"]),
        ]
    nodes += [
        make_node("ReduceMax", [ATTENTION_MASK], ["activation.any"], axes=[1], keepdims=1),
        make_node("Cast", ["activation.any"], ["activation.anything"], to=TensorProto.FLOAT),
        make_node("Mul", [f"activation.{graph.logs}", "activation.anything"], ["activation.real"]),
    ]
    if graph.prior:
        nodes.append(make_node("Add", ["activation.real", PRIOR], ["activation.sum"]))
    nodes.append(
        make_node("Mul", ["activation.sum" if graph.prior else "activation.real", "activation.keep"], [OUTPUT])
    )
    added.node.extend(nodes)
    used = {name for node in added.node for name in node.input}
    for tensor in [tensor for tensor in added.initializer if tensor.name not in used]:
        added.initializer.remove(tensor)
    del added.output[:]
    added.output.append(helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, ["batch", len(graph.keep)]))
    return model
