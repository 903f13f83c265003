"""The query side of an encoder: tables from several places, learned tables, Siamese encoders."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from sentence_transformers.base.modules import Router
from tiny_checkpoint import SPECIALS, make_idf, make_tokenizer
from tiny_encoder import SPECIAL_IDS, TOKENS, build, encode, weights

from opensearch_lsr.errors import BundleError
from opensearch_lsr.token_weights import MAX_WEIGHT
from opensearch_lsr.training import checkpoint, model
from opensearch_lsr.training.callbacks import NonNegativeTable


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


@pytest.mark.parametrize("learned", [True, False])
def test_learned_query_weights(masked_lm: Path, learned: bool) -> None:
    encoder = build(masked_lm, learn_query_weights=learned)
    table = checkpoint.query_table(encoder).weight
    assert table.requires_grad == learned
    if learned:
        (encode(encoder, ["snow snow"], "query") @ encode(encoder).T).sum().backward()
        assert table.grad is not None
        assert table.grad.nonzero().squeeze(1).tolist() == [TOKENS.index("snow")]


def test_learned_weights_stay_what_opensearch_takes(masked_lm: Path) -> None:
    table = checkpoint.query_table(build(masked_lm, learn_query_weights=True))
    with torch.no_grad():
        table.weight[[0, 2, 10, 11, 12]] = torch.tensor([3.0, -1.0, -0.5, 99.0, 7.0])
    NonNegativeTable(table).on_step_end(None, None, None)
    assert table.weight[[0, 2, 10, 11, 12]].tolist() == [0.0, 0.0, 0.0, MAX_WEIGHT, 7.0]
