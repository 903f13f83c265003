"""The query side of an encoder: tables from several places, Siamese encoders."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from sentence_transformers.base.modules import Router
from tiny_checkpoint import SPECIALS, make_idf, make_tokenizer
from tiny_encoder import SPECIAL_IDS, TOKENS, build, encode, weights

from opensearch_lsr.errors import BundleError
from opensearch_lsr.training import checkpoint, model


def test_table_of_ones(masked_lm: Path) -> None:
    encoder = build(masked_lm, token_weights="ones")
    assert weights(encoder, "the tap, [MASK] leaks", "query") == dict.fromkeys(["the", "tap", ",", "leak", "##s"], 1.0)
    assert torch.equal(model.table("ones", make_tokenizer()).nonzero().squeeze(1), torch.arange(5, len(TOKENS)))


def test_table_from_a_file(masked_lm: Path, tmp_path: Path) -> None:
    """As published, with special tokens at 1.0; any order."""
    idf = make_idf(make_tokenizer()) | dict.fromkeys(SPECIALS, 1.0)
    table = tmp_path / "idf.json"
    table.write_text(json.dumps(dict(reversed(idf.items()))), encoding="utf-8")
    encoder = build(masked_lm, token_weights=str(table))
    expected = {token: idf[token] for token in ("water", "pipe")}
    assert weights(encoder, "water pipe", "query") == pytest.approx(expected)
    assert checkpoint.query_table(encoder).weight[SPECIAL_IDS].tolist() == [0.0] * 5


def test_tables_that_do_not_fit(masked_lm: Path, tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="msmarco: .*vocabulary"):
        build(masked_lm, token_weights="msmarco")
    partial = tmp_path / "partial.json"
    partial.write_text('{"water": 1.0}')
    with pytest.raises(BundleError, match="partial.json: .* vocabulary tokens have no weight"):
        build(masked_lm, token_weights=str(partial))
    with pytest.raises(BundleError, match="nowhere.json: not found"):
        build(masked_lm, token_weights="nowhere.json")


def test_siamese(masked_lm: Path) -> None:
    encoder = build(masked_lm, query="encoder")
    assert not isinstance(encoder[0], Router)
    torch.testing.assert_close(encode(encoder, task="query"), encode(encoder))
    torch.testing.assert_close(encode(encoder), encode(build(masked_lm)))
    assert checkpoint.query_table(encoder) is None
