"""The projection onto the vocabulary and the pooling, as ONNX nodes that never hold a document's logits.

SPLADE's head is ``w_j = act(max_i (h_i · E_j + b_j))`` (arXiv 2109.10086). Exported as written, onnxruntime builds the
logits [batch, sequence, vocabulary] (512 tokens: 62 MB a document) and walks them again for the mask, the bias and the
maximum. Here the vocabulary is cut into blocks of a few megabytes of logits, each pooled at once, from the processor's
cache; the mask is applied before (padding repeats a real position, which changes no maximum), the bias after. Positions
come first, [sequence, batch, size], so that the maximum runs over whole rows of memory.

With int8 arithmetic each document's hidden states are scaled to 7 bits by one number of its own,
``s_d = max |h| / 63``, so a vector does not depend on the documents beside it, and the maximum is taken of integers:
``w_j = act(s_d · scale_j · max_i (Q_h · Q_E) + b_j)``. Seven bits, not eight: products of pairs then fit in 16 bits,
and processors without VNNI, which add them there, give the same integers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from opensearch_lsr.errors import needs_extra

with needs_extra("export", "exporting a checkpoint"):
    import numpy as np
    from onnx import TensorProto, numpy_helper
    from onnx.helper import make_node

if TYPE_CHECKING:
    from numpy.typing import NDArray

BLOCK = 1024  # tokens: a block of the logits of 512 positions is 2 MB, about what a core has of cache
LARGEST = 63  # of a hidden state in 7 bits, without −64, so that the range is symmetric
ZERO = 64  # where 0 lies among unsigned 7-bit numbers


def append(graph: Any, weight: str, size: int, bias: NDArray[np.float32], hidden: str, output: str) -> None:
    """Add the head in float32.

    Args:
        graph: ONNX graph, changed in place.
        weight: name of its initializer or node output [vocab, size], one row a token.
        size: of the vocabulary.
        bias: float32 [vocab].
        hidden: name of the hidden states, float32 [sequence, batch, size]; padding repeats real positions.
        output: name for the maxima, float32 [batch, vocab].
    """
    parts = _blocks(graph, weight, size)
    for part in parts:
        graph.node.extend(
            [
                make_node("MatMul", [hidden, f"{part}.columns"], [f"{part}.logits"]),
                make_node("ReduceMax", [f"{part}.logits"], [f"{part}.max"], axes=[0], keepdims=0),
            ]
        )
    graph.initializer.append(numpy_helper.from_array(bias, "head.bias"))
    graph.node.extend(
        [
            make_node("Concat", [f"{part}.max" for part in parts], ["head.max"], axis=1),
            make_node("Add", ["head.max", "head.bias"], [output]),
        ]
    )


def append_int8(
    graph: Any, weight: str, scales: NDArray[np.float32], bias: NDArray[np.float32], hidden: str, output: str
) -> None:
    """Add the head with int8 arithmetic.

    Args:
        graph: ONNX graph, changed in place.
        weight: name of its int8 initializer [vocab, size], symmetric, one scale a row.
        scales: float32 [vocab].
        bias: float32 [vocab].
        hidden: as in :func:`append`.
        output: as in :func:`append`.
    """
    for name, value in {
        "head.largest": np.array(LARGEST, np.float32),
        "head.smallest": np.array(np.finfo(np.float32).tiny, np.float32),
        "head.zero": np.array(ZERO, np.float32),
        "head.hidden.zero": np.array(ZERO, np.uint8),
        "head.weight.zero": np.array(0, np.int8),
        "head.first": np.array([0], np.int64),
        "head.scales": scales.astype(np.float32),
        "head.bias": bias,
    }.items():
        graph.initializer.append(numpy_helper.from_array(value, name))
    graph.node.extend(
        [
            make_node("Abs", [hidden], ["head.absolute"]),
            make_node("ReduceMax", ["head.absolute"], ["head.highest"], axes=[0, 2], keepdims=1),
            make_node("Max", ["head.highest", "head.smallest"], ["head.positive"]),
            make_node("Div", ["head.positive", "head.largest"], ["head.scale"]),
            make_node("Div", [hidden, "head.scale"], ["head.scaled"]),
            make_node("Round", ["head.scaled"], ["head.rounded"]),
            make_node("Add", ["head.rounded", "head.zero"], ["head.shifted"]),
            make_node("Cast", ["head.shifted"], ["head.hidden"], to=TensorProto.UINT8),
        ]
    )
    parts = _blocks(graph, weight, len(scales))
    for part in parts:
        inputs = ["head.hidden", f"{part}.columns", "head.hidden.zero", "head.weight.zero"]
        graph.node.extend(
            [
                make_node("MatMulInteger", inputs, [f"{part}.logits"]),
                make_node("ReduceMax", [f"{part}.logits"], [f"{part}.max"], axes=[0], keepdims=0),
            ]
        )
    graph.node.extend(
        [
            make_node("Concat", [f"{part}.max" for part in parts], ["head.max"], axis=1),
            make_node("Cast", ["head.max"], ["head.float"], to=TensorProto.FLOAT),
            make_node("Squeeze", ["head.scale", "head.first"], ["head.document"]),  # [1, batch, 1] → [batch, 1]
            make_node("Mul", ["head.float", "head.document"], ["head.of_document"]),
            make_node("Mul", ["head.of_document", "head.scales"], ["head.of_token"]),
            make_node("Add", ["head.of_token", "head.bias"], [output]),
        ]
    )


def append_int4(
    graph: Any, weight: str, shape: tuple[int, int], block: int, bias: NDArray[np.float32], hidden: str, output: str
) -> None:
    """Add the head with 4-bit weights and float32 arithmetic.

    Args:
        graph: ONNX graph, changed in place.
        weight: of which ``<weight>.int4`` uint8 [vocab, blocks · block / 2] and ``<weight>.scale`` float32
            [vocab · blocks] are there (:func:`opensearch_lsr.export.four_bits.table`).
        shape: of the vocabulary, of a hidden state.
        block: entries that share a scale.
        bias: float32 [vocab].
        hidden: as in :func:`append`.
        output: as in :func:`append`.
    """
    vocabulary, size = shape
    blocks = -(-size // block)
    sizes = _sizes(vocabulary)
    parts = [f"head.{number}" for number in range(len(sizes))]
    for name, value in {
        "head.sizes": np.array(sizes, np.int64),
        "head.scales": np.array(sizes, np.int64) * blocks,
        "head.packed": np.array([-1, blocks, block // 2], np.int64),
        "head.bias": bias,
    }.items():
        graph.initializer.append(numpy_helper.from_array(value, name))
    for name, lengths in (("int4", "head.sizes"), ("scale", "head.scales")):
        graph.node.append(make_node("Split", [f"{weight}.{name}", lengths], [f"{part}.{name}" for part in parts]))
    for part, tokens in zip(parts, sizes, strict=True):
        product = {"K": size, "N": tokens, "bits": 4, "block_size": block, "domain": "com.microsoft"}
        inputs = [hidden, f"{part}.packed", f"{part}.scale"]
        graph.node.extend(
            [
                make_node("Reshape", [f"{part}.int4", "head.packed"], [f"{part}.packed"]),
                make_node("MatMulNBits", inputs, [f"{part}.logits"], **product),
                make_node("ReduceMax", [f"{part}.logits"], [f"{part}.max"], axes=[0], keepdims=0),
            ]
        )
    graph.node.extend(
        [
            make_node("Concat", [f"{part}.max" for part in parts], ["head.max"], axis=1),
            make_node("Add", ["head.max", "head.bias"], [output]),
        ]
    )


def _blocks(graph: Any, weight: str, size: int) -> Sequence[str]:
    """Cut [vocab, size] into ``<part>.columns`` [size, ≤ BLOCK]; onnxruntime does it once, when it loads the graph."""
    sizes = _sizes(size)
    parts = [f"head.{number}" for number in range(len(sizes))]
    graph.initializer.append(numpy_helper.from_array(np.array(sizes, np.int64), "head.sizes"))
    graph.node.append(make_node("Split", [weight, "head.sizes"], [f"{part}.rows" for part in parts], axis=0))
    graph.node.extend(make_node("Transpose", [f"{part}.rows"], [f"{part}.columns"], perm=[1, 0]) for part in parts)
    return parts


def _sizes(vocabulary: int) -> list[int]:
    return [min(BLOCK, vocabulary - start) for start in range(0, vocabulary, BLOCK)]
