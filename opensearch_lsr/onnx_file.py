"""Where an ONNX file keeps its weights, read from its protobuf without the onnx package.

Tensors may lie in other files, at paths that the ONNX file names (``TensorProto.external_data``). An encoder's are in
the one file or, where that would pass 2 GB, in one beside it whose name is fixed (:func:`data_file`), so that whoever
opens it reads nothing else. Field numbers are those of onnx.proto3.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from pathlib import Path

_TENSOR, _EXTERNAL_DATA = "tensor", 13
_KEY, _VALUE = 1, 2  # of an entry of external data
# message → field number → the message there; what is left out holds no tensors
_MESSAGES: dict[str, dict[int, str]] = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "graph": {1: "node", 5: _TENSOR, 15: "sparse"},
    "function": {7: "node", 11: "attribute"},
    "node": {5: "attribute"},
    "attribute": {5: _TENSOR, 6: "graph", 10: _TENSOR, 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: _TENSOR, 2: _TENSOR},
}
_DEEPEST = 64  # graphs in graphs


def data_file(path: Path) -> Path:
    """The one other file that an ``.onnx`` file may have its weights in."""
    return path.with_name(f"{path.name}.data")


def external_files(path: Path) -> set[str]:
    """The files that tensors of the graph, or of a graph in it, lie in, as it names them; without the ``.onnx`` itself.

    Raises:
        ValueError: when the file is no such protobuf.
    """
    if not path.stat().st_size:
        raise ValueError("empty")
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        return set(_locations(content, 0, len(content), "model", 0))


def _locations(content: mmap.mmap, start: int, end: int, message: str, depth: int) -> Iterator[str]:
    if depth > _DEEPEST:
        raise ValueError("graphs too deep")
    for field, first, last in _fields(content, start, end):
        if message == _TENSOR:
            if field == _EXTERNAL_DATA:
                entry = {part: content[begin:stop] for part, begin, stop in _fields(content, first, last)}
                if entry.get(_KEY) == b"location":
                    yield entry.get(_VALUE, b"").decode()
        elif field in _MESSAGES[message]:
            yield from _locations(content, first, last, _MESSAGES[message][field], depth + 1)


def _fields(content: mmap.mmap, start: int, end: int) -> Iterator[tuple[int, int, int]]:
    """(field number, start, end) of each length-delimited field; the others are skipped."""
    position = start
    while position < end:
        key, position = _varint(content, position, end)
        kind = key & 7
        if kind == 0:
            _, position = _varint(content, position, end)
        elif kind in (1, 5):
            position += 8 if kind == 1 else 4
        elif kind == 2:
            length, position = _varint(content, position, end)
            if position + length > end:
                raise ValueError("truncated")
            yield key >> 3, position, position + length
            position += length
        else:
            raise ValueError("no protobuf")


def _varint(content: mmap.mmap, position: int, end: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if position >= end:
            raise ValueError("truncated")
        byte = content[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
    raise ValueError("no protobuf")
