"""A language-modelling phase before the training, for a few minutes: a head for a backbone that lacks one, and a causal
LM's first steps with the attention that it will have (CSPLADE, arXiv 2504.10816).

====================================  ==========================================================================
masked LM, ``bidirectional``          a share of the tokens is predicted, half of them hidden (BERT, 1810.04805;
                                      of a causal LM: masked next token, 2404.05961), half left as they are, so
                                      that it also learns to give a document its own tokens, which is where a
                                      sparse encoder starts from
``causal``, ``echo``                  every token is predicted from those before it; of an echo both copies, so
                                      that the second learns to give back the first
====================================  ==========================================================================

Then the decoder's bias is shifted until ``active_dims`` entries of a document fire: with a masked LM's bias of 0 nearly
all of the vocabulary does, and every step pays for it; a language model may have all of its logits below 0, and what
never fires has no gradient ("dying ReLU").
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

from opensearch_lsr.errors import needs_extra
from opensearch_lsr.training import causal_tokenizer, checkpoint
from opensearch_lsr.training.causal_transformer import CausalTransformer
from opensearch_lsr.training.head import maxima, skipped
from opensearch_lsr.training.recipe_model import Adaptation

with needs_extra("train", "training"):
    import torch
    from sentence_transformers import SparseEncoder
    from torch.nn.functional import cross_entropy, linear
    from torch.utils.checkpoint import checkpoint as recomputed

STEPS = 400
ROWS = 1024  # of logits at a time, which are computed again for the gradient: 0.5 GB at Llama 3's vocabulary


def adapt(
    encoder: SparseEncoder,
    texts: Sequence[str],
    asked: Adaptation,
    seed: int,
    bf16: bool,
    on_log: Callable[[int, int, dict[str, float]], object],
) -> None:
    """Adapt the document side of an encoder in place.

    Args:
        encoder: its transformer is a masked LM or a :class:`CausalTransformer`.
        texts: of the domain; drawn with the seed.
        asked: steps (400 where it does not say), sizes, rates.
        seed: of what is drawn and masked.
        bf16: bfloat16 autocast.
        on_log: called with step, steps and ``{"adaptation_loss": …}``.
    """
    transformer = checkpoint.document_modules(encoder)[0]
    lm = transformer.auto_model
    chance, generator = random.Random(seed), torch.Generator().manual_seed(seed)
    head = {id(parameter) for parameter in lm.parameters()} - {id(p) for p in lm.base_model.parameters()}
    trained = [parameter for parameter in lm.parameters() if parameter.requires_grad]
    optimiser = torch.optim.AdamW(
        [
            {"params": [p for p in trained if id(p) in head], "lr": asked.head_learning_rate},
            {"params": [p for p in trained if id(p) not in head], "lr": asked.learning_rate},
        ]
    )
    lm.train()
    steps = STEPS if asked.steps is None else asked.steps
    for step in range(1, steps + 1):
        batch = _batch(transformer, chance.sample(texts, min(asked.batch_size, len(texts))), asked)
        loss = _loss(transformer, batch, asked, generator, bf16)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(lm.parameters(), 1.0)
        optimiser.step()
        if step % 20 == 0 or step == steps:
            on_log(step, steps, {"adaptation_loss": float(loss.detach())})
    _shift_bias(transformer, _batch(transformer, chance.sample(texts, min(asked.batch_size, len(texts))), asked), asked)


def _batch(transformer: Any, texts: Sequence[str], asked: Adaptation) -> Any:
    return transformer.tokenizer(
        list(texts), padding=True, truncation=True, max_length=asked.max_length, return_tensors="pt"
    ).to(transformer.auto_model.device)


def _hidden_rows(transformer: Any, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """What the decoder projects, a row for each token: [batch, sequence, size], of an echo [batch, 2 · sequence, size].

    Logits are made only where they count.
    """
    lm = transformer.auto_model
    with skipped(lm.get_output_embeddings()):
        if isinstance(transformer, CausalTransformer):
            return transformer.rows(ids, mask)
        hidden: torch.Tensor = lm(input_ids=ids, attention_mask=mask).logits
        return hidden


def _loss(transformer: Any, batch: Any, asked: Adaptation, generator: torch.Generator, bf16: bool) -> torch.Tensor:
    ids, mask = batch["input_ids"], batch["attention_mask"]
    special = torch.isin(ids, torch.tensor(transformer.tokenizer.all_special_ids, device=ids.device))
    drawn = text = mask.bool() & ~special
    shown, copies = ids, 1
    if isinstance(transformer, CausalTransformer) and transformer.attention != "bidirectional":
        copies = transformer.copies
    else:
        share = torch.rand(ids.shape, generator=generator).to(ids.device) < asked.masked
        drawn = text & share if (text & share).any() else text
        hide = torch.rand(ids.shape, generator=generator).to(ids.device) < 0.5
        shown = ids.masked_fill(drawn & hide, causal_tokenizer.mask_id(transformer.tokenizer))
    decoder = transformer.auto_model.get_output_embeddings()
    with torch.autocast(ids.device.type, torch.bfloat16, enabled=bf16):
        rows = _hidden_rows(transformer, shown, mask)[drawn.repeat(1, copies)]
        tokens = ids.repeat(1, copies)[drawn.repeat(1, copies)]
        parts = [
            recomputed(_summed, decoder.weight, decoder.bias, *part, asked.saturated, use_reentrant=False)
            for part in zip(torch.split(rows, ROWS), torch.split(tokens, ROWS), strict=True)
        ]
    return torch.stack(parts).sum() / max(1, len(tokens))


def _summed(
    weight: torch.Tensor, bias: torch.Tensor, rows: torch.Tensor, tokens: torch.Tensor, saturated: float
) -> torch.Tensor:
    """Cross entropy of the logits and, weighted, of log(1 + relu(logits)); over rows."""
    logits = linear(rows.to(weight.dtype), weight).float() + bias
    loss = cross_entropy(logits, tokens, reduction="sum")
    if saturated:
        loss = loss + saturated * cross_entropy(logits.relu().log1p(), tokens, reduction="sum")
    return loss


@torch.no_grad()
def _shift_bias(transformer: Any, batch: Any, asked: Adaptation) -> None:
    """Shift the decoder's bias so that ``active_dims`` entries of a document are above 0 on average."""
    transformer.auto_model.eval()
    ids, mask = batch["input_ids"], batch["attention_mask"]
    decoder = transformer.auto_model.get_output_embeddings()
    hidden = _hidden_rows(transformer, ids, mask)[:, -ids.shape[1] :]  # of an echo, the copy that is pooled
    found = maxima(hidden, mask.bool(), decoder.weight, decoder.bias)  # [documents, vocab]
    kept = min(asked.active_dims * len(ids), found.numel())
    decoder.bias -= found.flatten().topk(kept).values[-1]
