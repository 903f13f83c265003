"""int8 or float16 weights, float32 arithmetic: a smaller file, and a vector that does not depend on its batch.

Every large matrix ``W`` is stored as int8 rows and one float32 scale a row, symmetric:
``scale_r = max_c |W_rc| / 127``, ``Q_rc = round(W_rc / scale_r)``, ``W ≈ scale · Q``. A lookup reads and scales its
rows only; every other use sees ``Cast(Q) · scale``, a constant that onnxruntime folds when it loads the graph.
Activations stay float32: quantising them per tensor (onnxruntime's ``quantize_dynamic``) makes a document's vector
depend on the documents beside it.

A matrix whose rows have an outlier each, such as a head that started as the identity, loses its small entries that
way: where ``‖W − scale · Q‖ / ‖W‖`` (Frobenius) passes 3 % it stays float32.

float16 is stored and unpacked the same way, without scales. Products are float32 again: onnxruntime has none of float16
on x86 processors and would convert each time; a matrix beyond float16's 65,504 stays float32.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from opensearch_lsr.errors import needs_extra

with needs_extra("export", "exporting a checkpoint"):
    import numpy as np
    import onnx
    from onnx import numpy_helper
    from onnx.helper import make_node

if TYPE_CHECKING:
    from numpy.typing import NDArray

SMALLEST = 4096  # elements; below it a scale and three nodes cost as much as they save
LARGEST_ERROR = 0.03  # normally spread rows have 0.007-0.02


def quantize(model: Any, kind: str = "int8") -> Any:
    """Turn an ONNX graph's weights into int8 or float16, in place.

    A torch ``Linear`` keeps its weight as [out, in] behind a Transpose, so a row is an output channel; a table's row
    is a token. A matrix that several nodes share (tied embedding and projection) stays one.

    Args:
        model: ONNX model; what is not a float32 matrix stays as it is.
        kind: ``int8`` or ``float16``.

    Returns:
        The same model.
    """
    uses = _uses(model.graph)
    nodes: list[Any] = []
    added: list[Any] = []
    for initializer in list(model.graph.initializer):
        if not _is_large_matrix(initializer):
            continue
        name = initializer.name
        parts = _STORED[kind](numpy_helper.to_array(initializer))
        if parts is None:
            continue
        model.graph.initializer.remove(initializer)
        added += [numpy_helper.from_array(values, f"{name}.{part}") for part, values in parts.items()]
        for node in filter(lambda node: is_lookup(name, node), uses[name]):
            nodes += _lookup(name, node, list(parts))
        if not all(is_lookup(name, node) for node in uses[name]):
            nodes += _whole(name, list(parts))
    model.graph.initializer.extend(added)
    insert(model.graph, nodes)
    return model


def matrices(graph: Any) -> dict[str, Any]:
    """The initializers of two dimensions, by name."""
    return {tensor.name: tensor for tensor in graph.initializer if len(tensor.dims) == 2}


def _uses(graph: Any) -> dict[str, list[Any]]:
    uses: dict[str, list[Any]] = defaultdict(list)
    for node in graph.node:
        for name in set(node.input):
            uses[name].append(node)
    return uses


def _is_large_matrix(initializer: Any) -> bool:
    return (
        initializer.data_type == onnx.TensorProto.FLOAT
        and len(initializer.dims) == 2
        and initializer.dims[0] * initializer.dims[1] >= SMALLEST
    )


def rows(weight: NDArray[np.float32], bits: int = 8) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """float32 [rows, columns] → int8 [rows, columns] and float32 scales [rows, 1]; a row of zeros has scale 1."""
    largest = np.abs(weight).max(axis=1, keepdims=True)
    scales = np.where(largest > 0, largest / (2 ** (bits - 1) - 1), 1).astype(np.float32)
    return np.rint(weight / scales).astype(np.int8), scales


def loss(weight: NDArray[np.float32], bits: int = 8) -> float:
    """``‖W − scale · Q‖ / ‖W‖`` (Frobenius) of a matrix; 0 for one of zeros."""
    quantised, scales = rows(weight, bits)
    norm = float(np.linalg.norm(weight))
    return float(np.linalg.norm(weight - quantised * scales)) / norm if norm else 0.0


def _int8(weight: NDArray[np.float32]) -> Mapping[str, NDArray[Any]] | None:
    if loss(weight) > LARGEST_ERROR:
        return None
    quantised, scales = rows(weight)
    return {"int8": quantised, "scale": scales}


def _float16(weight: NDArray[np.float32]) -> Mapping[str, NDArray[Any]] | None:
    if np.abs(weight).max() > np.finfo(np.float16).max:
        return None
    return {"float16": weight.astype(np.float16)}


# what a matrix is stored as: what is to be cast, and its scales, if any; None to leave it
_STORED: dict[str, Callable[[NDArray[np.float32]], Mapping[str, NDArray[Any]] | None]] = {
    "int8": _int8,
    "float16": _float16,
}


def is_lookup(name: str, node: Any) -> bool:
    """Whether a node looks rows of a matrix up."""
    axis = next((attribute.i for attribute in node.attribute if attribute.name == "axis"), 0)
    return bool(node.op_type == "Gather" and node.input[0] == name and axis == 0)


def _lookup(name: str, gather: Any, parts: list[str]) -> list[Any]:
    """Replace ``Gather(W, ids)`` by ``Cast(Gather(Q, ids)) · Gather(scale, ids)``; ``gather`` becomes the first."""
    output, ids = gather.output[0], gather.input[1]
    gather.input[0] = f"{name}.{parts[0]}"
    gather.output[0] = f"{output}.{parts[0]}"
    scales = [make_node("Gather", [f"{name}.{part}", ids], [f"{output}.{part}"], axis=0) for part in parts[1:]]
    return [*scales, *_whole(output, parts)]


def _whole(name: str, parts: list[str]) -> list[Any]:
    """``Cast(Q) · scale`` under the matrix's own name, so that its other users need no change."""
    if len(parts) == 1:
        return [make_node("Cast", [f"{name}.{parts[0]}"], [name], to=onnx.TensorProto.FLOAT)]
    return [
        make_node("Cast", [f"{name}.{parts[0]}"], [f"{name}.float"], to=onnx.TensorProto.FLOAT),
        make_node("Mul", [f"{name}.float", f"{name}.{parts[1]}"], [name]),
    ]


def insert(graph: Any, nodes: list[Any]) -> None:
    """Put ``nodes`` where ONNX wants them: each after what it reads, before what reads it."""
    pending = nodes + list(graph.node)
    known = {value.name for value in graph.input} | {initializer.name for initializer in graph.initializer} | {""}
    ordered: list[Any] = []
    while pending:
        waiting = []
        for node in pending:
            if known.issuperset(node.input):
                known.update(node.output)
                ordered.append(node)
            else:
                waiting.append(node)
        if len(waiting) == len(pending):
            raise ValueError(f"cycle in the graph at {waiting[0].name}")
        pending = waiting
    del graph.node[:]
    graph.node.extend(ordered)
