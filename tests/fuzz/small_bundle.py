"""A bundle of thirty tokens, byte by byte: small, so that damage hits what matters."""

from __future__ import annotations

import hashlib
import json
from functools import cache
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

from opensearch_lsr.bundle import CONFIG, ONNX, TABLE, TOKENIZER, query_fingerprint

SPECIALS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
TOKENS = [*SPECIALS, *"abcdefgh", *(f"##{letter}" for letter in "abcdefgh"), "water", "tap", "fire", ".", ","]
TEXTS = ["water tap", "", "abc . [CLS] 水", "fire " * 50]


@cache
def tokenizer() -> bytes:
    made = Tokenizer(models.WordPiece({token: index for index, token in enumerate(TOKENS)}, unk_token="[UNK]"))
    made.normalizer = normalizers.BertNormalizer(lowercase=True)
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    made.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    made.add_special_tokens(SPECIALS)
    made.enable_truncation(16)
    return made.to_str().encode()


@cache
def graph() -> bytes:
    """Each token's row of a table, the largest value of each column: ids and mask → [batch, vocabulary]."""
    import numpy as np
    from onnx import TensorProto, helper, numpy_helper

    rows = numpy_helper.from_array(np.eye(len(TOKENS), dtype=np.float32), "rows")
    ids, mask = (
        helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "sequence"])
        for name in ("input1.input_ids", "input1.attention_mask")
    )
    weights = helper.make_tensor_value_info("weights", TensorProto.FLOAT, ["batch", len(TOKENS)])
    nodes = [
        helper.make_node("Gather", ["rows", "input1.input_ids"], ["each"]),
        helper.make_node("ReduceMax", ["each"], ["weights"], axes=[1], keepdims=0),
    ]
    made = helper.make_graph(nodes, "small", [ids, mask], [weights], [rows])
    return bytes(helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=8).SerializeToString())


def table() -> dict[str, float]:
    return {token: 0.0 if token in SPECIALS else 1 + index / 10 for index, token in enumerate(TOKENS)}


@cache
def contents() -> dict[str, bytes]:
    """What is in each file."""
    idf = json.dumps(table()).encode()
    config: dict[str, Any] = {
        "name": "small",
        "version": "1.0.0",
        "activation": "relu",
        "max_length": 16,
        "vocab_size": len(TOKENS),
        "query": "table",
        "opset": 17,
        "quantization": "none",
        "document_fingerprint": hashlib.sha256(graph() + tokenizer()).hexdigest(),
        "query_fingerprint": query_fingerprint(tokenizer().decode(), table()),
        "word_form": True,
        "parity": {"largest": 1e-6},
        "schema_version": 1,
    }
    return {CONFIG: json.dumps(config).encode(), ONNX: graph(), TOKENIZER: tokenizer(), TABLE: idf}


def write(folder: Path) -> None:
    (folder / ONNX).parent.mkdir(parents=True, exist_ok=True)
    for name, content in contents().items():
        (folder / name).write_bytes(content)
