"""DF-FLOPS: tokens pay by the length of their posting list."""

from __future__ import annotations

import math

from opensearch_lsr.errors import InputError, needs_extra
from opensearch_lsr.training import processes

with needs_extra("train", "training"):
    import torch
    from torch import Tensor, nn


class DFFlops(nn.Module):
    """``Σ_j activ(df_j) · ( mean_N w_j )²``, df_j the share of documents in which token j is active.

    2505.15070, with its variant of the generalised logistic function::

        activ(x; α, β) = 1 / ( 1 + (x^(log_α 2) − 1)^β )

    which is 0 at x = 0, 1/2 at x = α and 1 at x = 1, the steeper at α the larger β. Plain FLOPS looks at one batch's
    means; this looks at what is in the index: a token in a share α of the documents pays half, one far above in full,
    one far below nothing, so the length of a *document* is held by few tokens only (lower α, or add plain FLOPS).

    The paper counts df on validation documents every 100 steps. Here it is a running mean over the training batches,
    ``df ← momentum · df + (1 − momentum) · df(batch)``, divided by ``1 − momentum^updates`` so that the first batches
    count in full; it has no gradient and moves in training mode only. Both buffers are in ``state_dict``, for resume.

    Args:
        vocab_size: number of tokens.
        alpha: share of documents at which a token pays half, between 0 and 1.
        beta: steepness, above 0.
        momentum: of the running mean, from 0 (this batch only) to below 1.

    Raises:
        InputError: when an argument is out of its range.

    Example: α = 1/4 and β = 2; token 0 is in both documents (activ 1), token 1 in one of two: (1/2)^(log_¼ 2) =
    (1/2)^(−1/2) = √2, so activ = 1 / (1 + (√2 − 1)²) = 0.8536. Means (2, 1) cost 1 · 4 + 0.8536 · 1 = 4.8536.

        >>> regularizer = DFFlops(2, alpha=0.25, beta=2.0)
        >>> round(regularizer(torch.tensor([[1.0, 0.0], [3.0, 2.0]])).item(), 4)
        4.8536
    """

    running: Tensor
    updates: Tensor

    def __init__(self, vocab_size: int, alpha: float = 0.1, beta: float = 10.0, momentum: float = 0.99) -> None:
        super().__init__()
        if not 0 < alpha < 1:
            raise InputError(f"df-flops alpha {alpha}; it is a share of the documents, between 0 and 1")
        if not beta > 0:
            raise InputError(f"df-flops beta {beta}; it is a number above 0")
        if not 0 <= momentum < 1:
            raise InputError(f"df-flops momentum {momentum}; it is from 0 to below 1")
        self.alpha, self.beta, self.momentum = alpha, beta, momentum
        self.register_buffer("running", torch.zeros(vocab_size))
        self.register_buffer("updates", torch.zeros((), dtype=torch.int64))

    def forward(self, documents: Tensor) -> Tensor:
        """Documents float32 [N, vocab] ≥ 0 → scalar; in training mode they enter the frequencies first."""
        if self.training:
            self._update(documents.detach())
        return (self.activation(self.frequencies()) * documents.mean(dim=0).square()).sum()

    def frequencies(self) -> Tensor:
        """The estimate: share of documents in which each token is active, float32 [vocab] in [0, 1]."""
        # Before the first update running is 0, whatever it is divided by.
        return (self.running / (1 - self.momentum ** self.updates.clamp(min=1))).clamp(max=1.0)

    def activation(self, share: Tensor) -> Tensor:
        """``activ``: shares in [0, 1] → weights in [0, 1]."""
        # x = 0 gives 1 / (1 + inf) = 0; a rounding below 0 at x = 1 would give NaN.
        return 1 / (1 + (share ** (math.log(2) / math.log(self.alpha)) - 1).clamp(min=0) ** self.beta)

    def _update(self, documents: Tensor) -> None:
        self.running.lerp_(processes.mean((documents > 0).float().mean(dim=0)), 1 - self.momentum)
        self.updates += 1
