"""Checkpoints on disk: written, opened again here and by plain sentence-transformers, and no foreign code run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from sentence_transformers import SparseEncoder
from tiny_checkpoint import make_idf, make_tokenizer
from tiny_encoder import TOKENS, build, encode, names

from opensearch_lsr.errors import CheckpointError
from opensearch_lsr.training import checkpoint
from opensearch_lsr.training.causal_transformer import CausalTransformer
from opensearch_lsr.training.head import install
from opensearch_lsr.training.lexical_prior import LexicalPrior
from opensearch_lsr.training.logs import Logs
from opensearch_lsr.training.recipe_model import Prior

ROUND_TRIPS: dict[str, dict[str, Any]] = {
    "plain": {},
    "prior": {"lexical_prior": Prior()},
    "logs": {"logs": 3},
    "prior and logs": {"logs": 3, "lexical_prior": Prior(learned=False)},
    "learned table": {"learn_query_weights": True},
    "siamese": {"query": "encoder"},
    "no argmax": {"head": "logits"},
}


@pytest.mark.parametrize("asked", ROUND_TRIPS.values(), ids=ROUND_TRIPS.keys())
def test_round_trip(masked_lm: Path, tmp_path: Path, asked: dict[str, Any]) -> None:
    encoder = build(masked_lm, **asked)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():  # as training would
        for parameter in encoder.parameters():
            if parameter.requires_grad:
                parameter.add_(0.01 * torch.rand(parameter.shape, generator=generator))
    checkpoint.save(encoder, tmp_path / "saved")
    opened = checkpoint.load(tmp_path / "saved").eval()
    assert names(opened) == names(encoder)
    for task in ("document", "query"):
        torch.testing.assert_close(encode(opened, task=task), encode(encoder, task=task), rtol=1e-4, atol=1e-5)
    expected, given = encoder.state_dict(), opened.state_dict()
    assert expected.keys() == given.keys()
    assert all(torch.equal(given[name], value) for name, value in expected.items())
    assert not (tmp_path / "saved" / "README.md").exists()


def test_round_trip_of_a_new_head(headless: Path, tmp_path: Path) -> None:
    """Its decoder's bias, too, which transformers keeps under two names."""
    encoder = build(headless)
    with torch.no_grad():
        checkpoint.document_modules(encoder)[0].auto_model.get_output_embeddings().bias -= 0.5
    checkpoint.save(encoder, tmp_path / "saved")
    opened = checkpoint.load(tmp_path / "saved").eval()
    torch.testing.assert_close(encode(opened), encode(encoder), rtol=1e-4, atol=1e-5)


def test_saved_table_is_whole(masked_lm: Path, tmp_path: Path) -> None:
    table = tmp_path / "idf.json"
    table.write_text(json.dumps(make_idf(make_tokenizer())), encoding="utf-8")
    encoder = build(masked_lm, token_weights=str(table))
    checkpoint.save(encoder, tmp_path / "saved")
    saved = json.loads((tmp_path / "saved" / "idf.json").read_text(encoding="utf-8"))
    assert list(saved) == TOKENS
    assert saved == pytest.approx(make_idf(make_tokenizer()))
    checkpoint.save(build(masked_lm, query="encoder"), tmp_path / "siamese")
    assert not (tmp_path / "siamese" / "idf.json").exists()


@pytest.mark.parametrize("head", ["argmax", "logits"])
def test_plain_sentence_transformers_opens_it(masked_lm: Path, tmp_path: Path, head: str) -> None:
    encoder = build(masked_lm, head=head)
    checkpoint.save(encoder, tmp_path / "saved")
    opened = SparseEncoder(str(tmp_path / "saved"), device="cpu").eval()
    for task in ("document", "query"):
        torch.testing.assert_close(encode(opened, task=task), encode(encoder, task=task), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("asked", [{"lexical_prior": Prior()}, {"logs": 3}], ids=["prior", "logs"])
def test_modules_of_ours_need_trust(masked_lm: Path, tmp_path: Path, asked: dict[str, Any]) -> None:
    encoder = build(masked_lm, **asked)
    checkpoint.save(encoder, tmp_path / "saved")
    with pytest.raises(ValueError, match="trust_remote_code"):
        SparseEncoder(str(tmp_path / "saved"), device="cpu")
    opened = SparseEncoder(str(tmp_path / "saved"), device="cpu", trust_remote_code=True).eval()
    torch.testing.assert_close(encode(opened), encode(encoder), rtol=1e-4, atol=1e-5)


def test_foreign_code_is_refused(masked_lm: Path, tmp_path: Path) -> None:
    """A module class of the folder's own; its file would leave a trace if it ran."""
    folder, trace = tmp_path / "foreign", tmp_path / "ran"
    checkpoint.save(build(masked_lm, query="encoder", logs=3), folder)
    modules = json.loads((folder / "modules.json").read_text())
    modules[2]["type"] = "foreign.Logs"
    (folder / "modules.json").write_text(json.dumps(modules))
    (folder / "foreign.py").write_text(f"import pathlib\npathlib.Path({str(trace)!r}).touch()\nclass Logs: ...\n")
    for attempt in (checkpoint.load, build):
        with pytest.raises(CheckpointError, match="foreign") as raised:
            attempt(folder)
        assert "\n" not in str(raised.value)
    assert not trace.exists()


def test_our_modules_are_ours_only() -> None:
    assert set(checkpoint.OURS.values()) == {Logs, LexicalPrior, CausalTransformer}


def test_the_head_can_be_installed_on_what_is_loaded(masked_lm: Path, tmp_path: Path) -> None:
    encoder = build(masked_lm, lexical_prior=Prior(), logs=3)
    checkpoint.save(encoder, tmp_path / "saved")
    opened = install(checkpoint.load(tmp_path / "saved")).eval()
    torch.testing.assert_close(encode(opened), encode(encoder), rtol=1e-4, atol=1e-5)
