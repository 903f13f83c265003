"""4 bits: an eighth of the weights, one table for lookup and projection, the same vector whatever lies beside."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto
from test_export_int8_dynamic import BIAS, HIDDEN, MAXIMA, WEIGHT, empty
from test_export_quantization import OTHERS, TEXT, made_of
from tiny_checkpoint import vocabulary

from opensearch_lsr.bundle import Bundle
from opensearch_lsr.document_encoder import DocumentEncoder
from opensearch_lsr.export import assembly, four_bits, graph, head
from opensearch_lsr.export.checkpoint import Checkpoint


@pytest.fixture
def int4(exported: Callable[..., Bundle]) -> Bundle:
    return exported(quantize="int4")


def test_a_vector_does_not_depend_on_its_batch(int4: Bundle) -> None:
    encoder = DocumentEncoder(int4)
    (alone,) = encoder.encode([TEXT])
    assert encoder.encode([*OTHERS, TEXT])[-1] == pytest.approx(alone, abs=1e-3)
    assert int4.config.parity["max_difference_batch"] <= 1e-3


def test_it_is_close_to_float32_and_smaller(int4: Bundle, exported: Callable[..., Bundle]) -> None:
    assert int4.onnx.stat().st_size < exported(quantize="int8").onnx.stat().st_size
    assert int4.config.parity["mean_cosine_float32"] > 0.95
    card = (int4.path / "README.md").read_text(encoding="utf-8")
    assert "4 bits, one scale for 32" in card and "largest difference, int4 and float32" in card


def test_products_are_of_four_bits_and_the_table_is_there_once(int4: Bundle) -> None:
    model = onnx.load(str(int4.onnx))
    products = [node for node in model.graph.node if node.op_type == "MatMulNBits"]
    assert len(products) >= 2 + 1, "of two layers, and the head"
    assert not [node for node in products if any(a.name == "accuracy_level" for a in node.attribute)]
    shapes = {(tensor.data_type, *tensor.dims) for tensor in model.graph.initializer if len(tensor.dims) == 2}
    assert [shape for shape in shapes if len(vocabulary()) in shape] == [(TensorProto.UINT8, len(vocabulary()), 16)]


@pytest.mark.parametrize("size", [32, 64, 72, 300])
def test_lookup_and_product_see_the_same_rows(size: int) -> None:
    """Also where rows do not end with a block."""
    weight = np.random.default_rng(0).normal(size=(256, size)).astype(np.float32)
    weight[3] = 0
    packed, scales, lost = four_bits.rows(weight)
    halves = np.stack([packed & 15, packed >> 4], axis=-1).reshape(256, -1, 32).astype(np.float32) - 8
    expected = (halves * scales[..., None]).reshape(256, -1)[:, :size]
    np.testing.assert_allclose(lost, np.linalg.norm(weight - expected) / np.linalg.norm(weight), rtol=1e-4)
    assert lost < 0.12 and not expected[3].any()
    model = made_of(weight)
    transpose, product = model.graph.node[1:]
    del model.graph.node[1:], model.graph.output[1:]
    assert four_bits.table(model, "weight")
    np.testing.assert_array_equal(run(model, size)[0], expected[[0, 3, 255]])
    model = made_of(weight)
    del model.graph.node[:2], model.graph.output[:1]
    product.input[1] = "weight"
    model.graph.node[0].CopyFrom(product)
    model.graph.initializer[0].CopyFrom(onnx.numpy_helper.from_array(np.ascontiguousarray(weight.T), "weight"))
    four_bits.products(model)
    assert [node.op_type for node in model.graph.node] == ["MatMulNBits"] and transpose.op_type == "Transpose"
    np.testing.assert_allclose(run(model, size)[0], [expected.sum(axis=1)], rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("kept", [None, [3], [0, 2, 4]], ids=["all", "one", "some"])
def test_the_heads_arithmetic(monkeypatch: pytest.MonkeyPatch, kept: list[int] | None) -> None:
    monkeypatch.setattr(head, "BLOCK", 2)  # blocks of 2, 2 and 1 token
    packed, scales, _ = four_bits.rows(WEIGHT)
    model = empty()
    model.opset_import.append(onnx.helper.make_opsetid(four_bits.DOMAIN, 1))
    values = {"weight.int4": packed.reshape(len(WEIGHT), -1), "weight.scale": scales.reshape(-1)}
    model.graph.initializer.extend(onnx.numpy_helper.from_array(value, name) for name, value in values.items())
    size, columns = WEIGHT.shape[1], slice(None) if kept is None else kept
    places = None if kept is None else np.array(kept)
    head.append_int4(model.graph, "weight", size, four_bits.BLOCK, BIAS, places, "hidden", "output")
    session = session_of(model)
    # these weights are multiples of an eighth of their row's largest
    np.testing.assert_allclose(
        session.run(None, {"hidden": HIDDEN})[0][:, columns], np.array(MAXIMA)[:, columns], atol=1e-6
    )


def test_a_matrix_with_outliers_gets_eight_bits(checkpoint_folder: Callable[..., Path]) -> None:
    weight = np.random.default_rng(0).normal(scale=0.01, size=(256, 256)).astype(np.float32)
    weight += np.eye(256, dtype=np.float32) * 0.1
    model = made_of(weight)
    assert not four_bits.table(model, "weight")
    four_bits.products(model)
    assert {node.op_type for node in model.graph.node} == {"Gather", "Transpose", "MatMul"}
    module = graph.build(Checkpoint.open(checkpoint_folder()))
    types = {i.name: i.data_type for i in assembly.int4(graph.body(module), module).graph.initializer}
    assert not [name for name, kind in types.items() if kind == TensorProto.FLOAT and "dense.weight" in name]


def test_one_matrix_for_several_layers() -> None:
    """As ALBERT has them."""
    weight = np.random.default_rng(0).normal(size=(64, 64)).astype(np.float32)
    model = made_of(weight)
    nodes = [onnx.helper.make_node("MatMul", [a, "weight"], [b]) for a, b in (("input", "once"), ("once", "product"))]
    del model.graph.node[:], model.graph.output[:1]
    model.graph.node.extend(nodes)
    (expected,) = run(model, 64)
    four_bits.products(model)
    assert [node.op_type for node in model.graph.node] == ["MatMulNBits"] * 2
    (got,) = run(model, 64)
    assert (got * expected).sum() > 0.97 * np.linalg.norm(got) * np.linalg.norm(expected)


def test_nobody_elses_log_is_touched() -> None:
    code = "import logging, opensearch_lsr.export.export as e; print(logging.getLogger().handlers)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def session_of(model: onnx.ModelProto) -> object:
    import onnxruntime

    return onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])


def run(model: onnx.ModelProto, size: int) -> list[np.ndarray]:
    session = session_of(model)
    given = {one.name for one in session.get_inputs()}
    return session.run(None, {name: np.ones((1, size), np.float32) for name in given})
