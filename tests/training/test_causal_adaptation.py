"""A causal LM's adaptation: its loss is about next tokens, it falls, and then documents are as long as asked."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from sentence_transformers import SparseEncoder
from tiny_encoder import build

from opensearch_lsr.cli.quickstart import SAMPLE
from opensearch_lsr.data import documents
from opensearch_lsr.training import adaptation, checkpoint, model
from opensearch_lsr.training.recipe_model import Adaptation, Lora

MODES = ("causal", "echo", "bidirectional")
ASKED = Adaptation(60, batch_size=16, max_length=32, learning_rate=3e-3, head_learning_rate=1e-2, active_dims=40)


@pytest.fixture(scope="module")
def texts() -> list[str]:
    return [text for _, _, text in documents.read_titled(SAMPLE)]


def adapt(encoder: SparseEncoder, texts: list[str], asked: Adaptation = ASKED, bf16: bool = False) -> list[float]:
    losses: list[float] = []
    torch.manual_seed(0)  # of dropout
    adaptation.adapt(encoder, texts, asked, 1, bf16, lambda step, steps, found: losses.extend(found.values()))
    return losses


def active_dims(encoder: SparseEncoder, texts: list[str]) -> float:
    return float((encoder.encode_document(texts, convert_to_sparse_tensor=False) > 0).sum(dim=1).float().mean())


@pytest.mark.parametrize("mode", MODES)
def test_loss_falls_and_documents_are_as_long_as_asked(
    causal_lm: Callable[..., Path], texts: list[str], mode: str
) -> None:
    encoder = build(causal_lm("gpt2"), attention=mode, max_length=32)
    assert model.has_new_head(encoder)
    losses = adapt(encoder, texts)
    assert losses[-1] < 0.93 * losses[0]
    assert active_dims(encoder.eval(), texts) == pytest.approx(ASKED.active_dims, rel=0.3)
    vectors = encoder.encode_document(texts[:20], convert_to_sparse_tensor=False)
    assert not vectors[:, encoder.tokenizer.all_special_ids].any()


@pytest.mark.parametrize("saturated", [0.0, 1.0])
@pytest.mark.parametrize("mode", MODES)
def test_the_loss_by_hand(causal_lm: Callable[..., Path], mode: str, saturated: float) -> None:
    """Over all logits, of the token after each position; a text of one length, so that nothing is padded."""
    encoder = build(causal_lm("gpt2"), attention=mode, max_length=32).eval()
    transformer = checkpoint.document_modules(encoder)[0]
    batch = transformer.tokenizer(["snow tap snow", "tap tap snow"], return_tensors="pt")
    ids, lm = batch["input_ids"], transformer.auto_model
    shown: list[torch.Tensor] = []
    lm.register_forward_pre_hook(lambda _, args, given: shown.append(given["input_ids"]), with_kwargs=True)
    asked = Adaptation(masked=0.5, saturated=saturated)
    loss = adaptation._loss(transformer, batch, asked, torch.Generator().manual_seed(3), False)
    (read,) = shown
    logits = lm(input_ids=read).logits[:, :-1]
    following = torch.cat([ids, ids], dim=1)[:, 1:] if mode == "echo" else ids[:, 1:]
    counted = following != transformer.tokenizer.eos_token_id
    assert counted.sum() == ids[:, 1:-1].numel() * transformer.copies
    if mode == "bidirectional":
        generator = torch.Generator().manual_seed(3)
        drawn, hide = (torch.rand(ids.shape, generator=generator) < 0.5 for _ in range(2))
        counted &= drawn[:, 1:]
        blank = transformer.tokenizer.convert_tokens_to_ids("_")
        assert torch.equal(read == blank, drawn & hide & (ids != transformer.tokenizer.eos_token_id))
    else:
        assert torch.equal(read, torch.cat([ids] * transformer.copies, dim=1))
    expected = torch.nn.functional.cross_entropy(logits[counted], following[counted])
    if saturated:
        expected = expected + torch.nn.functional.cross_entropy(logits[counted].relu().log1p(), following[counted])
    torch.testing.assert_close(loss, expected)


@pytest.mark.parametrize("start", [-100.0, 100.0])
def test_the_bias_is_raised_as_well_as_lowered(causal_lm: Callable[..., Path], texts: list[str], start: float) -> None:
    """A language model's logits may all lie below 0; nothing would fire, and what never fires has no gradient."""
    encoder = build(causal_lm(), attention="bidirectional", max_length=32)
    with torch.no_grad():
        checkpoint.document_modules(encoder)[0].auto_model.get_output_embeddings().bias += start
    before = active_dims(encoder.eval(), texts[:30])
    assert before == 0 if start < 0 else before > 600
    adapt(encoder, texts, Adaptation(1, 64, 32, active_dims=40))
    assert active_dims(encoder.eval(), texts) == pytest.approx(40, rel=0.3)


def test_with_adapters_and_recomputed_activations(causal_lm: Callable[..., Path], texts: list[str]) -> None:
    """Only what is trained moves; computing activations twice changes nothing."""

    def adapted(recomputed: bool) -> dict[str, Any]:
        torch.manual_seed(0)
        encoder = build(causal_lm("gpt2"), attention="echo", lora=Lora(4, 8))
        if recomputed:
            encoder.gradient_checkpointing_enable({"use_reentrant": False})
        assert all(loss > 0 for loss in adapt(encoder, texts, Adaptation(3, 8, 32)))
        state: dict[str, Any] = encoder.state_dict()
        return state

    fresh = build(causal_lm("gpt2"), attention="echo", lora=Lora(4, 8)).state_dict()
    once, twice = adapted(False), adapted(True)
    moved = {name for name, value in once.items() if ".lora_B" in name or name.endswith("lm_head.bias")}
    assert all(
        torch.equal(value, fresh[name]) for name, value in once.items() if "lora_" not in name and name not in moved
    )
    assert not any(torch.equal(once[name], fresh[name]) for name in moved)
    for name, value in once.items():
        torch.testing.assert_close(twice[name], value, rtol=1e-4, atol=1e-6)


def test_in_bfloat16_and_with_nothing_to_predict(causal_lm: Callable[..., Path]) -> None:
    for mode in MODES:
        encoder = build(causal_lm(), attention=mode, lora=Lora(4, 8, bfloat16=True))
        (loss,) = adapt(encoder, ["snow", ""], Adaptation(2, 1, 32, saturated=1.0), bf16=True)
        assert 0 <= loss < 100
