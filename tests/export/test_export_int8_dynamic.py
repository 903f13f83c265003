"""int8 arithmetic: close to float32, one table for lookup and projection, and a head that has no logits to hold."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import TensorProto, helper
from tiny_checkpoint import make_checkpoint, vocabulary

from opensearch_lsr.bundle import Bundle
from opensearch_lsr.document_encoder import DocumentEncoder
from opensearch_lsr.export import assembly, graph, head, quantization
from opensearch_lsr.export.checkpoint import Checkpoint
from opensearch_lsr.export.export import export
from opensearch_lsr.sparse_vector import dot
from opensearch_lsr.training.lexical_prior import LexicalPrior

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
    bundle, float32 = (
        export(folder, tmp_path / quantize, quantize=quantize, name="untied") for quantize in ("int8-dynamic", "none")
    )
    int8 = [i for i in onnx.load(str(bundle.onnx)).graph.initializer if i.data_type == TensorProto.INT8]
    assert len([tensor for tensor in int8 if list(tensor.dims) == list(table.shape)]) == 2
    got, expected = (DocumentEncoder(one).encode([TEXT])[0] for one in (bundle, float32))
    assert dot(got, expected) > 0.99 * (dot(got, got) * dot(expected, expected)) ** 0.5


def test_the_heads_arithmetic(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(head, "BLOCK", 2)  # blocks of 2, 2 and 1 token
    np.testing.assert_allclose(run(float32_head(), HIDDEN), MAXIMA, atol=1e-6)
    rows, scales = quantization.rows(WEIGHT)
    got = run(int8_head(rows, scales[:, 0]), HIDDEN)
    step = np.abs(HIDDEN).max(axis=(0, 2)) / head.LARGEST  # of each document's hidden states
    assert (np.abs(got - MAXIMA) <= step[:, None] / 2 * np.abs(WEIGHT).sum(axis=1) + 0.02).all()
    alone = run(int8_head(rows, scales[:, 0]), HIDDEN[:, 1:])
    np.testing.assert_array_equal(got[1:], alone)


def test_hidden_states_of_zeros() -> None:
    rows, scales = quantization.rows(WEIGHT)
    got = run(int8_head(rows, scales[:, 0]), np.zeros_like(HIDDEN))
    np.testing.assert_array_equal(got, [BIAS, BIAS])


@pytest.mark.parametrize("quantize", ["none", "int8-dynamic"])
def test_a_lexical_prior_and_a_bi_encoder(
    quantize: str, checkpoint_folder: Callable[..., Path], exported: Callable[..., Bundle]
) -> None:
    checkpoint = Checkpoint.open(checkpoint_folder())
    prior = LexicalPrior(checkpoint.vocab_size, checkpoint.silent_ids, average_length=4.0, beta=0.5).eval()
    module = graph.DocumentGraph(checkpoint.model, "relu", checkpoint.silent_ids, checkpoint.vocab_size, prior).eval()
    make = assembly.int8_dynamic if quantize == "int8-dynamic" else assembly.float32
    ids, mask = np.array([[2, 60, 70, 60, 3]]), np.ones((1, 5), np.int64)
    session = onnxruntime.InferenceSession(make(graph.body(module), module).SerializeToString())
    (got,) = session.run(None, {"input1.input_ids": ids, "input1.attention_mask": mask})
    with torch.no_grad():
        expected = module(torch.from_numpy(ids), torch.from_numpy(mask)).numpy()
        added = module.added(torch.from_numpy(ids), torch.from_numpy(mask)).numpy()
    assert added[0, 60] > added[0, 70] > 0
    assert_close(got, expected, quantize)
    assert DocumentEncoder(exported("siamese", quantize=quantize)).encode([TEXT])[0]


@pytest.mark.parametrize("quantize", ["none", "int8-dynamic"])
def test_a_decoder_without_bias(quantize: str, checkpoint_folder: Callable[..., Path]) -> None:
    module = graph.build(Checkpoint.open(checkpoint_folder()))
    assert module.decoder
    module.decoder.bias = None
    check_against_torch(module, quantize)
    assert not module.bias.any()


class Scaled(torch.nn.Module):
    """A masked LM whose logits are not plainly its decoder's."""

    def __init__(self, model: torch.nn.Module) -> None:
        super().__init__()
        self.model = model

    def get_output_embeddings(self) -> torch.nn.Module:
        return self.model.get_output_embeddings()

    def forward(self, **inputs: torch.Tensor) -> SimpleNamespace:
        return SimpleNamespace(logits=self.model(**inputs).logits * 0.5)


@pytest.mark.parametrize("quantize", ["none", "int8-dynamic"])
def test_a_head_that_is_no_plain_projection_keeps_its_logits(
    quantize: str, checkpoint_folder: Callable[..., Path]
) -> None:
    checkpoint = Checkpoint.open(checkpoint_folder())
    model = Scaled(checkpoint.model)
    module = graph.DocumentGraph(model, "relu", checkpoint.silent_ids, checkpoint.vocab_size).eval()
    assert module.decoder is None
    check_against_torch(module, quantize)


def test_matrices_that_seven_bits_do_not_hold_stay_float32(
    checkpoint_folder: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quantization, "LARGEST_ERROR", 0.01)  # rows of 32 lose little
    module = graph.build(Checkpoint.open(checkpoint_folder()))
    dense = next(one for name, one in module.model.named_modules() if name.endswith("transform.dense"))
    with torch.no_grad():
        dense.weight.copy_(torch.eye(dense.in_features) + 0.01 * torch.randn_like(dense.weight))
        table = module.decoder.weight  # outliers in every row
        table[:, 0] += 40 * table.abs().max()
    model = assembly.int8_dynamic(graph.body(module), module)
    large = [i for i in model.graph.initializer if len(i.dims) == 2 and i.data_type == TensorProto.FLOAT]
    shapes = [tuple(tensor.dims) for tensor in large]
    assert tuple(dense.weight.shape) in shapes
    assert shapes.count(tuple(table.shape)) == 1


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


def check_against_torch(module: graph.DocumentGraph, quantize: str) -> None:
    make = assembly.int8_dynamic if quantize == "int8-dynamic" else assembly.float32
    ids, mask = np.array([[2, 60, 70, 3], [0, 2, 80, 3]]), np.array([[1, 1, 1, 1], [0, 1, 1, 1]])
    session = onnxruntime.InferenceSession(make(graph.body(module), module).SerializeToString())
    (got,) = session.run(None, {"input1.input_ids": ids, "input1.attention_mask": mask})
    with torch.no_grad():
        expected = module(torch.from_numpy(ids), torch.from_numpy(mask)).numpy()
    assert_close(got, expected, quantize)


def assert_close(got: np.ndarray, expected: np.ndarray, quantize: str) -> None:
    assert expected.any()
    if quantize == "none":
        np.testing.assert_allclose(got, expected, atol=1e-4)
    assert (got * expected).sum() > 0.98 * np.linalg.norm(got) * np.linalg.norm(expected)


def float32_head() -> onnx.ModelProto:
    model = empty()
    model.graph.initializer.append(onnx.numpy_helper.from_array(WEIGHT, "weight"))
    head.append(model.graph, "weight", BIAS, None, "hidden", "output")
    return model


def int8_head(rows: np.ndarray, scales: np.ndarray) -> onnx.ModelProto:
    model = empty()
    model.graph.initializer.append(onnx.numpy_helper.from_array(rows, "weight"))
    head.append_int8(model.graph, "weight", scales, BIAS, None, "hidden", "output")
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
