"""int8 arithmetic: close to float32, one table for lookup and projection, and a head that has no logits to hold."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper
from tiny_checkpoint import make_checkpoint, vocabulary

from opensearch_lsr.bundle import Bundle
from opensearch_lsr.document_encoder import DocumentEncoder
from opensearch_lsr.export import assembly, graph, head, quantization
from opensearch_lsr.export.checkpoint import Checkpoint
from opensearch_lsr.export.export import export

TEXT = "the tap in the kitchen leaks"
OTHERS = ["", "snow", "a book about 3 horses & the sea! " * 20]
HIDDEN = np.array([[[1.0, -2.0], [0.25, 0.5]], [[0.5, 4.0], [0.25, 0.5]], [[-3.0, 0.0], [0.25, 0.5]]], np.float32)
WEIGHT = np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 2.0], [0.5, 0.5], [0.0, 0.0]], np.float32)
BIAS = np.array([0.0, 1.0, -2.0, 0.0, 0.5], np.float32)
# [sequence 3, batch 2, size 2] against five tokens: the largest of three dot products, plus the bias
MAXIMA = [[1.0, 5.0, 5.5, 2.25, 0.5], [0.25, 1.5, -1.25, 0.375, 0.5]]


@pytest.fixture
def dynamic(exported: Callable[..., Bundle]) -> Bundle:
    return exported(quantize="int8-dynamic")


def test_documents_are_encoded_alone(dynamic: Bundle) -> None:
    encoder = DocumentEncoder(dynamic)
    (alone,) = encoder.encode([TEXT])
    assert alone
    assert encoder.encode([*OTHERS, TEXT])[-1] == alone


def test_it_is_close_to_float32_and_smaller(dynamic: Bundle, exported: Callable[..., Bundle]) -> None:
    assert dynamic.onnx.stat().st_size < exported().onnx.stat().st_size
    assert dynamic.config.parity["mean_cosine_float32"] > 0.99
    assert "max_difference_batch" not in dynamic.config.parity
    assert "int8, arithmetic in int8" in (dynamic.path / "README.md").read_text(encoding="utf-8")


def test_products_are_of_integers_and_the_table_is_there_once(dynamic: Bundle) -> None:
    model = onnx.load(str(dynamic.onnx))
    weights = {tensor.name: tensor for tensor in model.graph.initializer if len(tensor.dims) == 2}
    products = [node for node in model.graph.node if node.op_type == "MatMul"]
    assert products, "attention"
    assert not [node for node in products if set(node.input) & weights.keys()]
    shapes = {(tensor.data_type, *tensor.dims) for tensor in weights.values() if len(vocabulary()) in tensor.dims}
    assert len(shapes) == 2
    assert (TensorProto.FLOAT, len(vocabulary()), 1) in shapes, "a scale for each row of the one table"


def test_untied_weights_are_both_there(tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    folder = make_checkpoint(tmp_path / "checkpoint", "mlm")
    weights = load_file(folder / "model.safetensors")
    table = weights["bert.embeddings.word_embeddings.weight"]
    weights["cls.predictions.decoder.weight"] = table.flip(1).contiguous()
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    config = (folder / "config.json").read_text(encoding="utf-8")
    (folder / "config.json").write_text(config.replace("{", '{"tie_word_embeddings": false,', 1), encoding="utf-8")
    bundle = export(folder, tmp_path / "bundle", quantize="int8-dynamic")
    int8 = [i for i in onnx.load(str(bundle.onnx)).graph.initializer if i.data_type == TensorProto.INT8]
    assert len([tensor for tensor in int8 if list(tensor.dims) == list(table.shape)]) == 2
    assert DocumentEncoder(bundle).encode([TEXT])[0]


def test_the_heads_arithmetic(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(head, "BLOCK", 2)  # blocks of 2, 2 and 1 token
    np.testing.assert_allclose(run(float32_head(), HIDDEN), MAXIMA, atol=1e-6)
    rows, scales = quantization.rows(WEIGHT)
    got = run(int8_head(rows, scales[:, 0]), HIDDEN)
    step = np.abs(HIDDEN).max(axis=(0, 2)) / head.LARGEST  # of each document's hidden states
    assert (np.abs(got - MAXIMA) <= step[:, None] / 2 * np.abs(WEIGHT).sum(axis=1) + 0.02).all()
    alone = run(int8_head(rows, scales[:, 0]), HIDDEN[:, 1:])
    np.testing.assert_array_equal(got[1:], alone)


def test_hidden_states_of_zeros(monkeypatch: pytest.MonkeyPatch) -> None:
    rows, scales = quantization.rows(WEIGHT)
    got = run(int8_head(rows, scales[:, 0]), np.zeros_like(HIDDEN))
    np.testing.assert_array_equal(got, [BIAS, BIAS])


def test_padding_repeats_a_real_position(checkpoint_folder: Callable[..., Path]) -> None:
    module = graph.build(Checkpoint.open(checkpoint_folder()))
    session = onnxruntime.InferenceSession(graph.body(module).SerializeToString())
    ids = np.array([[2, 60, 70, 3, 0, 0], [0, 0, 2, 60, 70, 3]])
    mask = np.array([[1, 1, 1, 1, 0, 0], [0, 0, 1, 1, 1, 1]])
    hidden = session.run(["hidden"], {"input1.input_ids": ids, "input1.attention_mask": mask})[0]
    assert hidden.shape[:2] == (6, 2)
    for padded, real, row in ((4, 0, 0), (5, 0, 0), (0, 2, 1), (1, 2, 1)):
        np.testing.assert_array_equal(hidden[padded, row], hidden[real, row])


def test_the_whole_graph_with_small_blocks(
    checkpoint_folder: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, exported: Callable[..., Bundle]
) -> None:
    module = graph.build(Checkpoint.open(checkpoint_folder()))
    monkeypatch.setattr(head, "BLOCK", 7)
    model = assembly.int8_dynamic(graph.body(module), module)
    inputs = {"input1.input_ids": np.array([[2, 60, 70, 3]]), "input1.attention_mask": np.ones((1, 4), np.int64)}
    expected, got = (
        onnxruntime.InferenceSession(source).run(None, inputs)[0]
        for source in (str(exported(quantize="int8-dynamic").onnx), model.SerializeToString())
    )
    assert expected.any()
    np.testing.assert_array_equal(got, expected)


def float32_head() -> onnx.ModelProto:
    model = empty()
    model.graph.initializer.append(onnx.numpy_helper.from_array(WEIGHT, "weight"))
    head.append(model.graph, "weight", len(WEIGHT), BIAS, "hidden", "output")
    return model


def int8_head(rows: np.ndarray, scales: np.ndarray) -> onnx.ModelProto:
    model = empty()
    model.graph.initializer.append(onnx.numpy_helper.from_array(rows, "weight"))
    head.append_int8(model.graph, "weight", scales, BIAS, "hidden", "output")
    return model


def empty() -> onnx.ModelProto:
    inputs = [helper.make_tensor_value_info("hidden", TensorProto.FLOAT, ["sequence", "batch", WEIGHT.shape[1]])]
    outputs = [helper.make_tensor_value_info("output", TensorProto.FLOAT, ["batch", len(WEIGHT)])]
    made = helper.make_graph([], "head", inputs, outputs)
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def run(model: onnx.ModelProto, hidden: np.ndarray) -> np.ndarray:
    onnx.checker.check_model(model)
    (output,) = onnxruntime.InferenceSession(model.SerializeToString()).run(None, {"hidden": hidden})
    return output
