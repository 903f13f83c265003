"""4-bit weights: an eighth of the file, held as such in memory, too; arithmetic in float32.

A matrix product's weights are cut along what is summed into blocks of 32, each with a scale of its own::

    scale = −w / 8 of the block's largest |w|        q = round(W / scale) + 8, at most 15        W ≈ scale · (q − 8)

onnxruntime's operator ``MatMulNBits`` (com.microsoft) unpacks them as it multiplies. Without its ``accuracy_level``,
which onnxruntime 1.16.3 does not know, activations stay float32, so a document's vector does not depend on the
documents beside it. (onnxruntime's own ``MatMulNBitsQuantizer`` packs in the same way; whoever imports it gets a log of
every node.)

A table that tokens are looked up in is packed the same way, row by row, so that one serves lookup and projection. The
operators for 4-bit lookups are newer than opset 17 and than 1.16.3: rows are unpacked by shifts.

A matrix whose blocks have an outlier each, such as a head that started as the identity, loses its small entries that
way: where ``‖W − scale · (q − 8)‖ / ‖W‖`` (Frobenius) passes 15 % it gets 8 bits
(:mod:`opensearch_lsr.export.quantization`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from opensearch_lsr.errors import needs_extra
from opensearch_lsr.export import quantization

with needs_extra("export", "exporting a checkpoint"):
    import numpy as np
    from onnx import TensorProto, helper, numpy_helper
    from onnx.helper import make_node

if TYPE_CHECKING:
    from numpy.typing import NDArray

DOMAIN = "com.microsoft"
BLOCK = 32
LARGEST_ERROR = 0.15  # normally spread blocks have 0.08-0.11
_AT_ONCE = 8192  # rows that are packed together: half a gigabyte of temporaries for rows of 4,096


def products(model: Any) -> None:
    """Turn the constant second factors [size, outputs] of an ONNX graph's ``MatMul`` nodes into 4 bits, in place."""
    graph = model.graph
    for name, tensor in quantization.matrices(graph).items():
        uses = [node for node in graph.node if name in node.input]
        if not all(node.op_type == "MatMul" and node.input[1] == name for node in uses):
            continue
        size, outputs = tensor.dims
        if not _pack(model, tensor, numpy_helper.to_array(tensor).T, (outputs, -(-size // BLOCK), BLOCK // 2)):
            continue
        for node in uses:
            node.op_type, node.domain = "MatMulNBits", DOMAIN
            node.input[1] = f"{name}.int4"
            node.input.append(f"{name}.scale")
            shape = {"K": size, "N": outputs, "bits": 4, "block_size": BLOCK}
            node.attribute.extend(helper.make_attribute(key, value) for key, value in shape.items())


def table(model: Any, name: str) -> bool:
    """Pack a float32 initializer [tokens, size] for its lookups and :func:`opensearch_lsr.export.head.append_int4`.

    Args:
        model: ONNX model, changed in place.
        name: of the initializer; ``<name>.int4`` is to be uint8 [tokens, blocks · 16], ``<name>.scale`` float32
            [tokens · blocks].

    Returns:
        Whether it was: not when something else than a lookup uses it, or too much would be lost.
    """
    graph = model.graph
    tensor = quantization.matrices(graph)[name]
    tokens, size = tensor.dims
    uses = [node for node in graph.node if name in node.input]
    if not all(quantization.is_lookup(name, node) for node in uses):
        return False
    if not _pack(model, tensor, numpy_helper.to_array(tensor), (tokens, -1)):
        return False
    quantization.insert(graph, [node for gather in uses for node in _lookup(graph, name, gather, (tokens, size))])
    return True


def rows(weight: NDArray[np.float32]) -> tuple[NDArray[np.uint8], NDArray[np.float32], float]:
    """Pack a matrix [rows, size].

    Returns:
        uint8 [rows, blocks, 16], of two neighbours the first in the lower half; float32 scales [rows, blocks]; and
        ``‖W − scale · (q − 8)‖ / ‖W‖`` (Frobenius), 0 for a matrix of zeros.
    """
    parts = [_rows(weight[start : start + _AT_ONCE]) for start in range(0, len(weight), _AT_ONCE)]
    packed, scales, lost, norms = zip(*parts, strict=True)
    return np.concatenate(packed), np.concatenate(scales), float(np.hypot.reduce(lost) / (np.hypot.reduce(norms) or 1))


def _rows(weight: NDArray[np.float32]) -> tuple[NDArray[np.uint8], NDArray[np.float32], float, float]:
    padded = np.pad(weight, ((0, 0), (0, -weight.shape[1] % BLOCK)))
    blocks = padded.reshape(len(weight), -1, BLOCK)
    largest = np.take_along_axis(blocks, np.abs(blocks).argmax(axis=2, keepdims=True), axis=2)
    scales = np.where(largest == 0, np.float32(1), -largest / 8)
    entries = np.clip(np.rint(blocks / scales) + 8, 0, 15)
    lost = float(np.linalg.norm(blocks - scales * (entries - 8)))
    entries = entries.astype(np.uint8)
    return entries[..., 0::2] | entries[..., 1::2] << 4, scales[..., 0], lost, float(np.linalg.norm(weight))


def _pack(model: Any, tensor: Any, weight: NDArray[np.float32], shape: tuple[int, ...]) -> bool:
    """Replace an initializer, whose rows lie in ``weight``, by packed ones of a shape and scales; unless they lose."""
    if weight.size < quantization.SMALLEST:
        return False
    packed, scales, lost = rows(weight)
    if lost > LARGEST_ERROR:
        return False
    graph, name = model.graph, tensor.name
    graph.initializer.remove(tensor)
    graph.initializer.append(numpy_helper.from_array(packed.reshape(shape), f"{name}.int4"))
    # one dimension, as onnxruntime 1.16.3 has them
    graph.initializer.append(numpy_helper.from_array(scales.reshape(-1), f"{name}.scale"))
    if not any(one.domain == DOMAIN for one in model.opset_import):
        model.opset_import.append(helper.make_opsetid(DOMAIN, 1))
    return True


def _lookup(graph: Any, name: str, gather: Any, shape: tuple[int, int]) -> list[Any]:
    """What unpacks the rows that ``gather``, now of the packed table, finds; the last node has its former output."""
    output, ids = gather.output[0], gather.input[1]
    gather.input[0], gather.output[0] = f"{name}.int4", f"{output}.bytes"
    blocks = -(-shape[1] // BLOCK)
    for key, value in {
        "four": np.array(4, np.uint8),
        "eight": np.array(8, np.float32),
        "last": np.array([-1]),
        "rows": np.array([shape[0], blocks]),
        "blocks": np.array([-1, blocks, BLOCK]),
        "scales": np.array([-1, blocks, 1]),
        "padded": np.array([-1, blocks * BLOCK]),
        "start": np.array([0]),
        "size": np.array([shape[1]]),
        "second": np.array([1]),
    }.items():
        graph.initializer.append(numpy_helper.from_array(value, f"{output}.{key}"))

    def node(operator: str, inputs: str, result: str, **attributes: Any) -> Any:
        names = [one if one in (ids, f"{name}.scale") else f"{output}.{one}" for one in inputs.split("|")]
        return make_node(operator, names, [f"{output}.{result}" if result else output], **attributes)

    return [
        node("BitShift", "bytes|four", "high", direction="RIGHT"),
        node("BitShift", "bytes|four", "shifted", direction="LEFT"),
        node("BitShift", "shifted|four", "low", direction="RIGHT"),
        node("Unsqueeze", "low|last", "even"),
        node("Unsqueeze", "high|last", "odd"),
        node("Concat", "even|odd", "pairs", axis=-1),
        node("Reshape", "pairs|blocks", "halves"),
        node("Cast", "halves", "float", to=TensorProto.FLOAT),
        node("Sub", "float|eight", "centred"),
        node("Reshape", f"{name}.scale|rows", "table"),
        node("Gather", f"table|{ids}", "found", axis=0),
        node("Reshape", "found|scales", "factors"),
        node("Mul", "centred|factors", "scaled"),
        node("Reshape", "scaled|padded", "flat"),
        node("Slice", "flat|start|size|second", "cut"),
        node("Shape", ids, "shape"),
        node("Concat", "shape|size", "whole", axis=0),
        node("Reshape", "cut|whole", ""),
    ]
