"""An ONNX graph on disk: one file or, where its weights pass what protobuf holds, two.

Protobuf messages have at most 2 GiB, so an ``.onnx`` has its larger weights in ``model.onnx.data`` beside it then
(ONNX's external data), which the loader accepts under that one name (:mod:`opensearch_lsr.onnx_file`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from opensearch_lsr.errors import needs_extra
from opensearch_lsr.onnx_file import data_file

with needs_extra("export", "exporting a checkpoint"):
    import onnx

LARGEST = 2_000_000_000  # bytes of weights in one file; the rest of 2**31 - 1 is for nodes and names
MOVED = 16_384  # bytes of a tensor from which on it is moved; onnxruntime reads lengths and shapes in the graph alone


def size(model: Any) -> int:
    """Bytes of a graph's weights."""
    return sum(len(tensor.raw_data) for tensor in model.graph.initializer)


def write(model: Any, path: Path) -> None:
    """Write a graph, replacing what is there, and check it.

    Args:
        model: ONNX model; of no use afterwards, as its weights may have been moved out.
        path: of the ``.onnx`` file.
    """
    data = data_file(path)
    path.unlink(missing_ok=True)
    data.unlink(missing_ok=True)
    if size(model) > LARGEST:
        onnx.save(model, path, save_as_external_data=True, location=data.name, size_threshold=MOVED)
    else:
        onnx.save(model, path)
    onnx.checker.check_model(str(path))  # by its path: a large one cannot be checked in memory
