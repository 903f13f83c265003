"""A masked-LM head for a backbone that lacks one: masked tokens and copied ones, for a few minutes.

On a share of the positions the cross entropy of the token there is taken; half of them are masked (BERT, 1810.04805),
half are left as they are, so that the head also learns to give a document its own tokens, which is where a sparse
encoder starts from. Then the decoder's bias is lowered until ``active_dims`` entries of a document fire: with a bias of
0 nearly all of the vocabulary does, and every step pays for it.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

from opensearch_lsr.errors import needs_extra
from opensearch_lsr.training import checkpoint
from opensearch_lsr.training.head import skipped
from opensearch_lsr.training.recipe import Adaptation

with needs_extra("train", "training"):
    import torch
    from sentence_transformers import SparseEncoder

STEPS = 400


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
        encoder: its transformer is a masked LM.
        texts: of the domain; drawn with the seed.
        asked: steps (400 where it does not say), sizes, rates.
        seed: of what is drawn and masked.
        bf16: bfloat16 autocast.
        on_log: called with step, steps and ``{"adaptation_loss": …}``.
    """
    transformer = checkpoint.document_modules(encoder)[0]
    lm, tokenizer = transformer.auto_model, transformer.tokenizer
    chance, generator = random.Random(seed), torch.Generator().manual_seed(seed)
    head = {id(parameter) for parameter in lm.parameters()} - {id(p) for p in lm.base_model.parameters()}
    optimiser = torch.optim.AdamW(
        [
            {"params": [p for p in lm.parameters() if id(p) in head], "lr": asked.head_learning_rate},
            {"params": [p for p in lm.parameters() if id(p) not in head], "lr": asked.learning_rate},
        ]
    )
    lm.train()
    steps = STEPS if asked.steps is None else asked.steps
    for step in range(1, steps + 1):
        batch = tokenizer(
            chance.sample(texts, min(asked.batch_size, len(texts))),
            padding=True,
            truncation=True,
            max_length=asked.max_length,
            return_tensors="pt",
        ).to(lm.device)
        loss = _loss(lm, tokenizer, batch, asked.masked, generator, bf16)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(lm.parameters(), 1.0)
        optimiser.step()
        if step % 20 == 0 or step == steps:
            on_log(step, steps, {"adaptation_loss": float(loss.detach())})
    _lower_bias(lm, tokenizer, chance.sample(texts, min(asked.batch_size, len(texts))), asked)


def _loss(lm: Any, tokenizer: Any, batch: Any, share: float, generator: torch.Generator, bf16: bool) -> torch.Tensor:
    ids, mask = batch["input_ids"], batch["attention_mask"].bool()
    special = torch.isin(ids, torch.tensor(tokenizer.all_special_ids, device=ids.device))
    drawn = (torch.rand(ids.shape, generator=generator).to(ids.device) < share) & mask & ~special
    if not drawn.any():
        drawn = mask & ~special
    hidden_ids = ids.clone()
    hide = torch.rand(ids.shape, generator=generator).to(ids.device) < 0.5
    hidden_ids[drawn & hide] = tokenizer.mask_token_id
    decoder = lm.get_output_embeddings()
    with torch.autocast(ids.device.type, torch.bfloat16, enabled=bf16):
        with skipped(decoder):  # logits only where they count
            states = lm(input_ids=hidden_ids, attention_mask=batch["attention_mask"]).logits
        logits = decoder(states[drawn])
    return torch.nn.functional.cross_entropy(logits.float(), ids[drawn])


@torch.no_grad()
def _lower_bias(lm: Any, tokenizer: Any, texts: Sequence[str], asked: Adaptation) -> None:
    """Shift the decoder's bias so that ``active_dims`` entries of a document are above 0 on average."""
    lm.eval()
    decoder = lm.get_output_embeddings()
    batch = tokenizer(list(texts), padding=True, truncation=True, max_length=asked.max_length, return_tensors="pt")
    logits = lm(**{name: batch[name].to(lm.device) for name in ("input_ids", "attention_mask")}).logits
    logits = logits.masked_fill(~batch["attention_mask"].bool().to(lm.device).unsqueeze(-1), -torch.inf)
    maxima = logits.amax(dim=1)  # [documents, vocab]
    kept = min(asked.active_dims * len(texts), maxima.numel())
    decoder.bias -= maxima.flatten().topk(kept).values[-1].clamp(min=0)
