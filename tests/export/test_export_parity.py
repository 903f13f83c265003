"""The exported graph gives what torch and sentence-transformers give."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from sentence_transformers import SparseEncoder
from tiny_checkpoint import SPECIALS, make_checkpoint, make_model, make_tokenizer

from opensearch_lsr.bundle import Bundle
from opensearch_lsr.document_encoder import DocumentEncoder
from opensearch_lsr.errors import ParityError
from opensearch_lsr.export import assembly, graph, parity
from opensearch_lsr.export.checkpoint import Checkpoint
from opensearch_lsr.export.export import export
from opensearch_lsr.query_encoder import QueryEncoder

TEXTS = ["the tap in the kitchen leaks, so fix it", "", "snow", "a book about 3 horses & the sea! " * 20]
ACTIVATIONS = ["relu", "log1p_relu"]


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("layout", ["router", "siamese"])
def test_vectors_equal_sentence_transformers(
    layout: str, activation: str, exported: Callable[..., Bundle], checkpoint_folder: Callable[..., Path]
) -> None:
    oracle = SparseEncoder(str(checkpoint_folder(layout, activation)), device="cpu")
    expected = oracle.encode_document(TEXTS, convert_to_sparse_tensor=False).numpy()
    assert_equal(DocumentEncoder(exported(layout, activation)).encode(TEXTS), expected)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_vectors_equal_the_formula(activation: str, exported: Callable[..., Bundle]) -> None:
    model, tokenizer = make_model(), make_tokenizer()
    rows = []
    for text in TEXTS:
        inputs = tokenizer(text, return_tensors="pt", truncation=True)
        with torch.no_grad():
            weights = torch.log1p(torch.relu(model(**inputs).logits[0])).amax(dim=0)
        rows.append(torch.log1p(weights) if activation == "log1p_relu" else weights)
    assert_equal(DocumentEncoder(exported("mlm", activation)).encode(TEXTS), torch.stack(rows).numpy())


def test_the_published_layout_has_its_masked_lm_in_the_root(exported: Callable[..., Bundle], tmp_path: Path) -> None:
    """opensearch-neural-sparse-encoding-doc-v2/v3: module path "", and sentence-transformers' older class names."""
    folder = make_checkpoint(tmp_path / "checkpoint", "router", "relu")
    for file in (folder / "document_0_Transformer").iterdir():
        file.rename(folder / file.name)
    (folder / "document_0_Transformer").rmdir()
    models = "sentence_transformers.sparse_encoder.models"
    router = json.loads((folder / "router_config.json").read_text(encoding="utf-8"))
    router["types"] = {
        "query_0_SparseStaticEmbedding": f"{models}.SparseStaticEmbedding.SparseStaticEmbedding",
        "": f"{models}.MLMTransformer.MLMTransformer",
        "document_1_SpladePooling": f"{models}.SpladePooling.SpladePooling",
    }
    router["structure"]["document"] = ["", "document_1_SpladePooling"]
    (folder / "router_config.json").write_text(json.dumps(router), encoding="utf-8")
    (folder / "modules.json").write_text(
        json.dumps([{"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Router"}])
    )
    (folder / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": 64, "do_lower_case": False}))
    bundle = export(folder, tmp_path / "bundle")
    assert bundle.config.document_fingerprint == exported("router", "relu").config.document_fingerprint
    assert bundle.config.query_fingerprint == exported("router", "relu").config.query_fingerprint


def test_query_side_equals_sentence_transformers(
    exported: Callable[..., Bundle], checkpoint_folder: Callable[..., Path]
) -> None:
    oracle = SparseEncoder(str(checkpoint_folder()), device="cpu")
    encoder = QueryEncoder.from_pretrained(str(exported().path))
    for text in TEXTS[:3]:
        got = encoder.encode(text)
        expected = dict(oracle.decode(oracle.encode_query(text))) if text else {}
        assert got == pytest.approx(expected)


@pytest.mark.parametrize("layout", ["router", "mlm", "siamese"])
def test_figures_are_written_down(layout: str, exported: Callable[..., Bundle]) -> None:
    figures = exported(layout).config.parity
    assert figures["texts"] == 67
    assert figures["max_difference_torch"] <= 1e-4
    assert figures["max_difference_batch"] <= 1e-4
    assert (figures["max_difference_sentence_transformers"] is None) == (layout == "mlm")
    assert set(figures["versions"]) == {"onnxruntime", "torch"}


def test_another_activation_is_no_parity(checkpoint_folder: Callable[..., Path], tmp_path: Path) -> None:
    checkpoint = Checkpoint.open(checkpoint_folder("router", "relu"))
    other = graph.DocumentGraph(checkpoint.model, "log1p_relu", checkpoint.silent_ids, checkpoint.vocab_size).eval()
    onnx.save(assembly.float32(graph.body(other), other), str(tmp_path / "other.onnx"))
    with pytest.raises(ParityError, match="the graph is not the checkpoint: weights differ from torch by up to"):
        parity.against_origin(tmp_path / "other.onnx", graph.build(checkpoint), checkpoint, TEXTS)


def assert_equal(vectors: list[dict[str, float]], expected: np.ndarray) -> None:
    vocabulary = make_tokenizer().get_vocab()
    assert any(vectors)
    for vector, row in zip(vectors, expected, strict=True):
        got = np.zeros_like(row)
        got[[vocabulary[token] for token in vector]] = list(vector.values())
        row = row.copy()
        row[[vocabulary[token] for token in SPECIALS]] = 0
        np.testing.assert_allclose(got, row, atol=1e-4)


def test_a_large_model_is_compared_on_fewer_texts() -> None:
    counts = [len(parity.sample_texts(parameters)) - 3 for parameters in (22_000_000, 1_240_000_000, 10**12)]
    assert counts == [64, 10, 8]
    nothing, word, long = parity.sample_texts(10**12)[-3:]  # the edges are always there
    assert (nothing, word, len(long.split())) == ("", "word", 2000)


@pytest.mark.parametrize("layout", ["router", "mlm"])
def test_a_checkpoint_that_gives_no_token_is_refused(
    layout: str, checkpoint_folder: Callable[..., Path], tmp_path: Path
) -> None:
    checkpoint = Checkpoint.open(checkpoint_folder(layout))
    module = graph.build(checkpoint)
    with torch.no_grad():
        module.bias.fill_(-1e4)
    onnx.save(assembly.float32(graph.body(module), module), str(tmp_path / "silent.onnx"))
    with pytest.raises(ParityError, match="gives none of 3 sample texts a token"):
        parity.against_origin(tmp_path / "silent.onnx", module, checkpoint, TEXTS[:3])
