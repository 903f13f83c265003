"""ℓ0 mask: only documents that are too long pay."""

from __future__ import annotations

from opensearch_lsr.errors import InputError, needs_extra

with needs_extra("train", "training"):
    from torch import Tensor, nn


class L0Mask(nn.Module):
    """A regulariser of ``1[ ‖w(d)‖₀ > t ] · w(d)``: documents with at most t active tokens count as empty.

    2504.14839 (with FLOPS: ``Σ_j ( mean_N 1[‖w(d)‖₀ > t] · w(d)_j )²``; public recipe t = 150, λ = 0.08, quadratic over
    40,000 steps). The mean stays over all N documents, so the penalty fades as more of them are short enough. With
    FLOPS, equal to sentence-transformers' ``FlopsLoss(threshold=t)``; this one wraps any regulariser. A
    :class:`~opensearch_lsr.training.regularizers.df_flops.DFFlops` inside sees short documents as empty, in its
    document frequencies, too.

    Args:
        regularizer: documents [N, vocab] → scalar.
        threshold: t, in active tokens.

    Raises:
        InputError: when the threshold is negative.

    Example: at t = 1 only (3, 2) counts; the means are (3/2, 1): 2.25 + 1 = 3.25.

        >>> import torch
        >>> from opensearch_lsr.training.regularizers.flops import Flops
        >>> L0Mask(Flops(), threshold=1)(torch.tensor([[1.0, 0.0], [3.0, 2.0]])).item()
        3.25
    """

    def __init__(self, regularizer: nn.Module, threshold: int) -> None:
        super().__init__()
        if threshold < 0:
            raise InputError(f"l0 mask threshold {threshold}; it is a number of active tokens, 0 or more")
        self.regularizer = regularizer
        self.threshold = threshold

    def forward(self, documents: Tensor) -> Tensor:
        """Documents float32 [N, vocab] ≥ 0 → scalar."""
        long = documents.count_nonzero(dim=1) > self.threshold
        penalty: Tensor = self.regularizer(documents * long.unsqueeze(1))
        return penalty
