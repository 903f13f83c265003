"""Learned query weights: the table of an inference-free encoder is trained, too (Li-LSR, arXiv 2505.01452).

    s(q, d) = Σ_{j ∈ tokens(q)} u_j · w(d)_j,    ∂s/∂u_j = w(d)_j for the query's tokens, else 0,    u_j ≥ 0

u starts from the table (IDF), has a learning rate of its own, and is a table again at query time. After each step it is
put back to where OpenSearch takes weights: 0 to 64, special tokens at 0. No weight decay acts on it: a token that no
training query has keeps its IDF.

Worked example: u = (2, 3), a query with the first token, w(d) = (0.5, 1): s = 1, its gradient in u is (0.5, 0). A step
of 6 against it gives (2 − 3, 3) = (−1, 3), put back to (0, 3).
"""

from __future__ import annotations

from typing import Any

from opensearch_lsr.errors import needs_extra
from opensearch_lsr.token_weights import MAX_WEIGHT

with needs_extra("train", "training"):
    import torch
    from transformers import TrainerCallback


class KeptInRange(TrainerCallback):  # type: ignore[misc]  # transformers is untyped
    """Puts a ``SparseStaticEmbedding``'s weights back after each step of the optimiser."""

    def __init__(self, static: Any) -> None:
        self.weight, self.zero = static.weight, torch.tensor(static.tokenizer.all_special_ids)

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        with torch.no_grad():
            self.weight.clamp_(0, MAX_WEIGHT)
            self.weight[self.zero] = 0
