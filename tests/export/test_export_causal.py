"""Causal LMs as bundles: the echo is read twice inside the graph, so that plain ids are all it takes."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import onnx
import pytest

from opensearch_lsr.bundle import Bundle
from opensearch_lsr.document_encoder import DocumentEncoder
from opensearch_lsr.errors import CheckpointError
from opensearch_lsr.export.export import export
from opensearch_lsr.query_encoder import QueryEncoder

sys.path.append(str(Path(__file__).parents[1] / "training"))

TEXTS = ["the kitchen tap leaks", "replace the battery of a phone and charge it", "", "snow"]
KINDS = [("gpt2", "echo"), ("llama", "bidirectional"), ("qwen2", "causal"), ("qwen3", "echo")]


@pytest.fixture(scope="module")
def causal(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str], Path]:
    """Checkpoints, each made once."""
    from tiny_causal import make_causal_encoder

    @cache
    def make(family: str, attention: str) -> Path:
        return make_causal_encoder(tmp_path_factory.mktemp(f"{family}-{attention}"), family, attention)

    return make


@pytest.mark.parametrize(("family", "attention"), KINDS)
def test_its_vectors_are_the_checkpoints(
    causal: Callable[[str, str], Path], family: str, attention: str, tmp_path: Path
) -> None:
    """Compared at export, on 67 texts, alone and padded; here that the figures are there, and the contract is kept."""
    bundle = export(causal(family, attention), tmp_path / "bundle")
    parity = bundle.config.parity
    assert parity["max_difference_sentence_transformers"] <= 1e-4 and parity["max_difference_batch"] <= 1e-4
    assert parity["active_dims"] > 10
    graph = onnx.load(str(bundle.onnx)).graph
    assert sorted(one.name for one in graph.input) == ["input1.attention_mask", "input1.input_ids"]
    assert bundle.config.max_length == 48
    encoder = DocumentEncoder(bundle)
    vectors = encoder.encode(TEXTS)
    assert vectors[0] and all(name.isdecimal() for name in vectors[0])  # a byte-level vocabulary
    query = QueryEncoder.from_pretrained(str(bundle.path)).encode("kitchen tap")
    assert query and all(name.isdecimal() for name in query)
    assert "".join(map(encoder.readable, query)) == " kitchen tap"


@pytest.mark.parametrize(("family", "attention"), [("gpt2", "echo"), ("llama", "bidirectional")])
@pytest.mark.parametrize("quantize", ["int8", "int4"])
def test_quantised(
    causal: Callable[[str, str], Path], family: str, attention: str, quantize: str, tmp_path: Path
) -> None:
    """Tied and untied, linear layers and GPT-2's."""
    bundle = export(causal(family, attention), tmp_path / quantize, quantize=quantize)
    assert bundle.config.parity["mean_cosine_float32"] > (0.9 if quantize == "int4" else 0.99)
    graph = onnx.load(str(bundle.onnx)).graph
    products = [node for node in graph.node if node.op_type == "MatMulNBits"]
    # the head and, where they have the 4,096 entries that make it worth while, the two feed-forward layers
    assert len(products) == (5 if family == "gpt2" else 1) * (quantize == "int4")
    weights = [tensor for tensor in graph.initializer if len(tensor.dims) == 2]
    large = [tensor for tensor in weights if np.prod(tensor.dims) >= 4096]
    assert not [tensor.name for tensor in large if tensor.data_type == onnx.TensorProto.FLOAT]


def test_an_echo_reads_half_as_many_tokens(causal: Callable[[str, str], Path], tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="max length 100; this model takes 8 to 80 tokens"):
        export(causal("gpt2", "echo"), tmp_path / "bundle", max_length=100)


def test_the_bundle_is_whole(causal: Callable[[str, str], Path], tmp_path: Path) -> None:
    bundle = export(causal("gpt2", "echo"), tmp_path / "bundle")
    Bundle.open(bundle.path).verify()
    card = (bundle.path / "README.md").read_text(encoding="utf-8")
    assert "48 tokens, the rest is cut" in card
