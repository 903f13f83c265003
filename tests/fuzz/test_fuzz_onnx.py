"""ONNX files: where their weights lie, as onnx itself says it; and graphs that cannot be run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import onnx
import pytest
import small_bundle
from damage import damaged
from fuzzing import answer, fuzz, refused, untouched
from google.protobuf.message import DecodeError
from hypothesis import strategies as st
from onnx.external_data_helper import _get_all_tensors

from opensearch_lsr.bundle import ONNX, Bundle
from opensearch_lsr.document_encoder import DocumentEncoder
from opensearch_lsr.onnx_file import external_files


@pytest.fixture(scope="module")
def bundle(place: Path) -> Iterator[Path]:
    small_bundle.write(place / "bundle")
    yield place / "bundle"


def outside() -> bytes:
    """The small graph with its table in another file."""
    model = onnx.load_model_from_string(small_bundle.graph())
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../weights")
    return bytes(model.SerializeToString())


graphs = st.one_of(
    damaged(small_bundle.graph()),
    damaged(outside()),
    st.binary(max_size=200),
    st.integers(1, 200).map(lambda deep: b"\x3a\x02" * deep),
)


@fuzz("ONNX: external data", content=graphs)
def test_weights_in_other_files_are_never_overlooked(place: Path, content: bytes) -> None:
    file = place / "model.onnx"
    file.write_bytes(content)
    with untouched(place):
        try:
            found = external_files(file)
        except ValueError as error:
            refused(str(error))
            return
    try:
        model = onnx.load_model_from_string(content)
    except DecodeError:
        return
    named = (entry for tensor in _get_all_tensors(model) for entry in tensor.external_data if entry.key == "location")
    assert {entry.value for entry in named} <= found


@fuzz("ONNX: documents", 0.3, content=damaged(small_bundle.graph()))
def test_a_graph_encodes_or_is_refused(bundle: Path, content: bytes) -> None:
    def encoded() -> None:
        for vector in DocumentEncoder(Bundle.open(bundle), ["CPUExecutionProvider"]).encode(small_bundle.TEXTS):
            assert vector.keys() <= set(small_bundle.TOKENS)
            assert all(weight > 0 for weight in vector.values())

    (bundle / ONNX).write_bytes(content)
    with untouched(bundle):
        answer(encoded, bundle)
