"""What is taken for granted of a causal LM, tried on a few tokens before hours are spent on it.

Architectures differ in more than their configuration says: some cap or scale their logits (Gemma 2, Cohere), some are
recurrent and have no mask to remove, some count positions in ways of their own.
"""

from __future__ import annotations

from opensearch_lsr.errors import CheckpointError, needs_extra
from opensearch_lsr.training.causal_transformer import CausalTransformer
from opensearch_lsr.training.head import skipped

with needs_extra("train", "training"):
    import torch

RTOL, ATOL = 1e-3, 1e-4


@torch.no_grad()
def check(transformer: CausalTransformer, name: str) -> None:
    """Refuse a model whose vectors would not be what they are called.

    Args:
        transformer: with float32 weights.
        name: for messages.

    Raises:
        CheckpointError: when its logits are no plain projection of its hidden states; when it is to be bidirectional
            and a position does not see what follows; or when padding changes a text's rows.
    """
    model = transformer.auto_model
    training = model.training
    model.eval()
    ids = torch.arange(5).unsqueeze(0) + min(5, model.config.vocab_size - 5)
    whole = torch.ones_like(ids)
    decoder = model.get_output_embeddings()
    decoder.bias += 1  # a scale would be on it, too
    rows = transformer.rows(ids, whole)
    with skipped(decoder):
        hidden = transformer.rows(ids, whole)
    if hidden.shape[-1] != decoder.in_features or not torch.allclose(decoder(hidden), rows, RTOL, ATOL):
        raise CheckpointError(
            f"{name}: its logits are not its last layer's (capped or scaled, as by final_logit_softcapping); "
            "take another backbone"
        )
    if transformer.attention == "bidirectional":
        other = ids.clone()
        other[0, -1] = 0
        if torch.allclose(transformer.rows(other, whole)[:, 1], rows[:, 1], rtol=0, atol=0):
            raise CheckpointError(f"{name}: its first position does not see the last; set model.attention to echo")
    padded = torch.nn.functional.pad(ids, (0, 3)), torch.nn.functional.pad(whole, (0, 3))
    if not torch.allclose(transformer.rows(*padded)[:, -8:-3], rows[:, -5:], RTOL, ATOL):
        raise CheckpointError(f"{name}: a text's rows depend on the padding behind it; take another backbone")
    decoder.bias -= 1
    model.train(training)
