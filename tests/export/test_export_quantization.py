"""int8: smaller, close to float32, and the same vector whatever lies beside a document."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from opensearch_lsr.bundle import Bundle
from opensearch_lsr.document_encoder import DocumentEncoder
from opensearch_lsr.errors import ParityError
from opensearch_lsr.export import parity, quantization
from opensearch_lsr.export.checkpoint import Checkpoint

TEXT = "the tap in the kitchen leaks"
OTHERS = ["", "snow", "a book about 3 horses & the sea! " * 20]


def test_a_vector_does_not_depend_on_its_batch(exported: Callable[..., Bundle]) -> None:
    encoder = DocumentEncoder(exported(quantize="int8"))
    (alone,) = encoder.encode([TEXT])
    assert encoder.encode([*OTHERS, TEXT])[-1] == pytest.approx(alone, abs=1e-3)
    assert exported(quantize="int8").config.parity["max_difference_batch"] <= 1e-3


def test_it_is_close_to_float32_and_smaller(exported: Callable[..., Bundle]) -> None:
    float32, int8 = exported(), exported(quantize="int8")
    assert int8.onnx.stat().st_size < float32.onnx.stat().st_size
    assert int8.config.parity["mean_cosine_float32"] > 0.999
    assert int8.document_key != float32.document_key


def test_float16_is_half_of_it(exported: Callable[..., Bundle]) -> None:
    float32, float16 = exported(), exported(quantize="fp16")
    assert float16.config.parity["min_cosine_float32"] > 0.9999
    assert float16.config.parity["max_difference_batch"] <= 1e-4
    initializers = onnx.load(str(float16.onnx)).graph.initializer
    table = next(one for one in initializers if one.name.endswith("word_embeddings.weight.float16"))
    assert table.data_type == TensorProto.FLOAT16 and len(table.raw_data) == table.dims[0] * table.dims[1] * 2
    assert float16.onnx.stat().st_size < float32.onnx.stat().st_size
    large = np.ones((128, 64), np.float32)
    large[0, 0] = 70_000  # more than float16 holds
    assert quantization.quantize(made_of(large), "float16").graph.initializer[0].data_type == TensorProto.FLOAT


def test_a_shared_matrix_stays_one(exported: Callable[..., Bundle]) -> None:
    initializers = onnx.load(str(exported(quantize="int8").onnx)).graph.initializer
    tables = [initializer for initializer in initializers if initializer.name.endswith("word_embeddings.weight.int8")]
    assert [table.data_type for table in tables] == [TensorProto.INT8]
    assert not [i for i in initializers if i.data_type == TensorProto.FLOAT and list(i.dims) == list(tables[0].dims)]


def test_lookup_and_product_see_the_same_rows() -> None:
    weight = np.random.default_rng(0).normal(size=(128, 64)).astype(np.float32)
    weight[3] = 0
    expected, got = run(made_of(weight)), run(quantization.quantize(made_of(weight)))
    half_a_step = np.abs(weight).max(axis=1) / 127 / 2
    rows, products = np.abs(got[0] - expected[0]), np.abs(got[1] - expected[1])
    assert (rows <= half_a_step[[0, 3, 127], None] + 1e-6).all() and not got[0][1].any()
    assert (products <= half_a_step.sum() + 1e-4).all()


def test_a_matrix_with_outliers_stays_float32() -> None:
    weight = np.random.default_rng(0).normal(scale=0.01, size=(256, 256)).astype(np.float32)
    weight += np.eye(256, dtype=np.float32)  # a head that started as the identity
    assert [i.data_type for i in quantization.quantize(made_of(weight)).graph.initializer][:1] == [TensorProto.FLOAT]


def test_a_graph_that_depends_on_the_batch_is_refused(
    exported: Callable[..., Bundle], checkpoint_folder: Callable[..., Path], tmp_path: Path
) -> None:
    model = onnx.load(str(exported().onnx))
    output = model.graph.node[-1].output
    output[0] = "vectors"
    model.graph.node.extend(
        [
            helper.make_node("ReduceMax", ["vectors"], ["scale"]),  # one scale for the batch, as quantize_dynamic has
            helper.make_node("Mul", ["vectors", "scale"], ["output"]),
        ]
    )
    onnx.save(model, str(tmp_path / "dynamic.onnx"))
    checkpoint = Checkpoint.open(checkpoint_folder())
    with pytest.raises(ParityError, match="a document's vector depends on its batch"):
        parity.batch_invariance(tmp_path / "dynamic.onnx", checkpoint, [TEXT, *OTHERS], "int8")


def made_of(weight: np.ndarray) -> onnx.ModelProto:
    """A graph that looks rows 0, 3 and 127 (or the last) of ``weight`` up and multiplies by it transposed."""
    nodes = [
        helper.make_node("Gather", ["weight", "ids"], ["rows"], axis=0),
        helper.make_node("Transpose", ["weight"], ["transposed"], perm=[1, 0]),
        helper.make_node("MatMul", ["input", "transposed"], ["product"]),
    ]
    initializers = [
        numpy_helper.from_array(weight, "weight"),
        numpy_helper.from_array(np.array([0, 3, len(weight) - 1]), "ids"),
    ]
    float_ = TensorProto.FLOAT
    graph = helper.make_graph(
        nodes,
        "test",
        [helper.make_tensor_value_info("input", float_, [1, weight.shape[1]])],
        [
            helper.make_tensor_value_info("rows", float_, [3, weight.shape[1]]),
            helper.make_tensor_value_info("product", float_, [1, len(weight)]),
        ],
        initializers,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def run(model: onnx.ModelProto) -> list[np.ndarray]:
    import onnxruntime

    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {"input": np.ones((1, 64), dtype=np.float32)})
