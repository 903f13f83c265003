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

Where a vocabulary leaves columns out (``kept``), only the others are projected onto; afterwards each column takes its
maximum from among those, and the columns that are left out any: they are multiplied by 0 in the end.
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

    Kept = NDArray[np.int64]

BLOCK = 1024  # tokens: a block of the logits of 512 positions is 2 MB, about what a core has of cache
LARGEST = 63  # of a hidden state in 7 bits, without −64, so that the range is symmetric
ZERO = 64  # where 0 lies among unsigned 7-bit numbers


def append(graph: Any, weight: str, bias: NDArray[np.float32], kept: Kept | None, hidden: str, output: str) -> None:
    """Add the head in float32.

    Args:
        graph: ONNX graph, changed in place.
        weight: name of its initializer or node output [vocab, size], one row a token.
        bias: float32 [vocab].
        kept: int64, the ids of tokens that can fire; None for all.
        hidden: name of the hidden states, float32 [sequence, batch, size]; padding repeats real positions.
        output: name for the maxima, float32 [batch, vocab].
    """
    places = np.arange(len(bias)) if kept is None else kept
    parts = _blocks(graph, _rows(graph, weight, kept), len(places))
    for part in parts:
        graph.node.extend(
            [
                make_node("MatMul", [hidden, f"{part}.columns"], [f"{part}.logits"]),
                make_node("ReduceMax", [f"{part}.logits"], [f"{part}.max"], axes=[0], keepdims=0),
            ]
        )
    graph.initializer.append(numpy_helper.from_array(bias[places], "head.bias"))
    graph.node.extend(
        [
            make_node("Concat", [f"{part}.max" for part in parts], ["head.max"], axis=1),
            make_node("Add", ["head.max", "head.bias"], ["head.maxima"]),
            _all_columns(graph, kept, len(bias), output),
        ]
    )


def append_int8(
    graph: Any,
    weight: str,
    scales: NDArray[np.float32],
    bias: NDArray[np.float32],
    kept: Kept | None,
    hidden: str,
    output: str,
) -> None:
    """Add the head with int8 arithmetic.

    Args:
        graph: ONNX graph, changed in place.
        weight: name of its int8 initializer [vocab, size], symmetric, one scale a row.
        scales: float32 [vocab].
        bias: float32 [vocab].
        kept: as in :func:`append`.
        hidden: as in :func:`append`.
        output: as in :func:`append`.
    """
    places = np.arange(len(bias)) if kept is None else kept
    for name, value in {
        "head.largest": np.array(LARGEST, np.float32),
        "head.smallest": np.array(np.finfo(np.float32).tiny, np.float32),
        "head.zero": np.array(ZERO, np.float32),
        "head.hidden.zero": np.array(ZERO, np.uint8),
        "head.weight.zero": np.array(0, np.int8),
        "head.first": np.array([0], np.int64),
        "head.scales": scales[places].astype(np.float32),
        "head.bias": bias[places],
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
    parts = _blocks(graph, _rows(graph, weight, kept), len(places))
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
            make_node("Add", ["head.of_token", "head.bias"], ["head.maxima"]),
            _all_columns(graph, kept, len(bias), output),
        ]
    )


def append_int4(
    graph: Any,
    weight: str,
    size: int,
    block: int,
    bias: NDArray[np.float32],
    kept: Kept | None,
    hidden: str,
    output: str,
) -> None:
    """Add the head with 4-bit weights and float32 arithmetic.

    Args:
        graph: ONNX graph, changed in place.
        weight: of which ``<weight>.int4`` uint8 [vocab, blocks · block / 2] and ``<weight>.scale`` float32
            [vocab · blocks] are there (:func:`opensearch_lsr.export.four_bits.table`).
        size: of a hidden state.
        block: entries that share a scale.
        bias: float32 [vocab].
        kept: as in :func:`append`.
        hidden: as in :func:`append`.
        output: as in :func:`append`.
    """
    blocks = -(-size // block)
    places = np.arange(len(bias)) if kept is None else kept
    sizes = _sizes(len(places))
    parts = [f"head.{number}" for number in range(len(sizes))]
    for name, value in {
        "head.sizes": np.array(sizes, np.int64),
        "head.packed": np.array([-1, blocks, block // 2], np.int64),
        "head.per_token": np.array([-1, blocks], np.int64),
        "head.flat": np.array([-1], np.int64),
        "head.bias": bias[places],
    }.items():
        graph.initializer.append(numpy_helper.from_array(value, name))
    graph.node.append(make_node("Reshape", [f"{weight}.scale", "head.per_token"], ["head.scale"]))
    for kind, table in (("int4", f"{weight}.int4"), ("rows", "head.scale")):
        rows = _rows(graph, table, kept)
        graph.node.append(make_node("Split", [rows, "head.sizes"], [f"{part}.{kind}" for part in parts], axis=0))
    for part, tokens in zip(parts, sizes, strict=True):
        product = {"K": size, "N": tokens, "bits": 4, "block_size": block, "domain": "com.microsoft"}
        inputs = [hidden, f"{part}.packed", f"{part}.scale"]
        graph.node.extend(
            [
                make_node("Reshape", [f"{part}.int4", "head.packed"], [f"{part}.packed"]),
                make_node("Reshape", [f"{part}.rows", "head.flat"], [f"{part}.scale"]),
                make_node("MatMulNBits", inputs, [f"{part}.logits"], **product),
                make_node("ReduceMax", [f"{part}.logits"], [f"{part}.max"], axes=[0], keepdims=0),
            ]
        )
    graph.node.extend(
        [
            make_node("Concat", [f"{part}.max" for part in parts], ["head.max"], axis=1),
            make_node("Add", ["head.max", "head.bias"], ["head.maxima"]),
            _all_columns(graph, kept, len(bias), output),
        ]
    )


def _rows(graph: Any, table: str, kept: Kept | None) -> str:
    """The name of a table's rows that are kept; onnxruntime takes them out once, when it loads the graph."""
    if kept is None:
        return table
    if not any(tensor.name == "head.kept" for tensor in graph.initializer):
        graph.initializer.append(numpy_helper.from_array(kept, "head.kept"))
    graph.node.append(make_node("Gather", [table, "head.kept"], [f"{table}.kept"], axis=0))
    return f"{table}.kept"


def _all_columns(graph: Any, kept: Kept | None, vocabulary: int, output: str) -> Any:
    """The node from ``head.maxima`` [batch, kept] to [batch, vocab]."""
    if kept is None:
        return make_node("Identity", ["head.maxima"], [output])
    places = np.zeros(vocabulary, np.int64)
    places[kept] = np.arange(len(kept))
    graph.initializer.append(numpy_helper.from_array(places, "head.places"))
    return make_node("Gather", ["head.maxima", "head.places"], [output], axis=1)


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
